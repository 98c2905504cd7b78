import type * as pulumi from "@pulumi/pulumi";
import { DynamicResource } from "../dynamic/resource.ts";
import { shell } from "../dynamic/shell.ts";
import type { SnippetsInputs } from "./provider.ts";

const snippets = shell("snippets/provider.ts", { checks: true });

type Given = Omit<SnippetsInputs, "current" | "restored">;
type Args = { [K in keyof Given]: pulumi.Input<Given[K]> } & { current: pulumi.Input<string>[] };

/** Removes a template's snippets when no VM uses them any more, and notices when one of its own is gone. */
export class SnippetFiles extends DynamicResource {
  declare readonly restored: pulumi.Output<SnippetsInputs["restored"]>;

  constructor(name: string, args: Args, opts?: pulumi.CustomResourceOptions) {
    super("SnippetFiles", snippets, name, { restored: undefined, ...args }, opts);
  }
}

import type * as pulumi from "@pulumi/pulumi";
import { DynamicResource } from "../dynamic/resource.ts";
import { shell } from "../dynamic/shell.ts";
import type { SnippetsInputs } from "./provider.ts";

const snippets = shell("snippets/provider.ts");

type Args = { [K in keyof SnippetsInputs]: pulumi.Input<SnippetsInputs[K]> };

/** Removes a template's snippets when no VM uses them any more. */
export class SnippetFiles extends DynamicResource {
  constructor(name: string, args: Args, opts?: pulumi.CustomResourceOptions) {
    super("SnippetFiles", snippets, name, { ...args }, opts);
  }
}

import * as pulumi from "@pulumi/pulumi";
import { shell } from "../shell.ts";
import type { SnippetsInputs } from "./provider.ts";

const snippets = shell("snippets/provider.ts");

type Args = { [K in keyof SnippetsInputs]: pulumi.Input<SnippetsInputs[K]> };

/** Removes a template's snippets when no VM uses them any more. */
export class SnippetFiles extends pulumi.dynamic.Resource {
  constructor(name: string, args: Args, opts?: pulumi.CustomResourceOptions) {
    super(snippets, name, { ...args }, opts, "golden-fleet", "SnippetFiles");
  }
}

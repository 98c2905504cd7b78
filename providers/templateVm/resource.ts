import type * as pulumi from "@pulumi/pulumi";
import { DynamicResource } from "../dynamic/resource.ts";
import { shell } from "../dynamic/shell.ts";
import type { GuardInputs } from "./provider.ts";

const guard = shell("templateVm/provider.ts");

type Args = { [K in keyof GuardInputs]: pulumi.Input<GuardInputs[K]> };

/** Sees to it that the VM of a template is deleted if it is ours, and that no other VM is. */
export class VmGuard extends DynamicResource {
  constructor(name: string, args: Args, opts?: pulumi.CustomResourceOptions) {
    super("VmGuard", guard, name, { ...args }, opts);
  }
}

import * as pulumi from "@pulumi/pulumi";
import { shell } from "../shell.ts";
import type { CloneInputs } from "./provider.ts";

const clone = shell("clone/provider.ts");

type Args = { [K in keyof CloneInputs]: pulumi.Input<CloneInputs[K]> };

/** One clone of a template (PVE: `qm clone`, `qm set`, `qm start`). */
export class Clone extends pulumi.dynamic.Resource {
  declare readonly vmId: pulumi.Output<number>;
  declare readonly name: pulumi.Output<string>;
  declare readonly node: pulumi.Output<string>;
  declare readonly ipConfig: pulumi.Output<string>;
  declare readonly running: pulumi.Output<boolean>;

  constructor(name: string, args: Args, opts?: pulumi.CustomResourceOptions) {
    super(clone, name, { running: undefined, ...args }, opts, "golden-fleet", "Clone");
  }
}

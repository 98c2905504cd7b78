import type * as pulumi from "@pulumi/pulumi";
import { DynamicResource } from "../dynamic/resource.ts";
import { shell } from "../dynamic/shell.ts";
import type { ConversionInputs } from "./provider.ts";

const conversion = shell("conversion/provider.ts");

type Args = { [K in keyof ConversionInputs]: pulumi.Input<ConversionInputs[K]> };

/** The conversion of a VM to a template (PVE: `qm template`). */
export class TemplateConversion extends DynamicResource {
  declare readonly vmId: pulumi.Output<number>;
  declare readonly isTemplate: pulumi.Output<boolean>;

  constructor(name: string, args: Args, opts?: pulumi.CustomResourceOptions) {
    super("TemplateConversion", conversion, name, { isTemplate: undefined, ...args }, opts);
  }
}

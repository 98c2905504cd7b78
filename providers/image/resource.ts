import type * as pulumi from "@pulumi/pulumi";
import { DynamicResource } from "../dynamic/resource.ts";
import { shell } from "../dynamic/shell.ts";
import type { ImageInputs, ImageState } from "./provider.ts";

const image = shell("image/provider.ts");

type Args = { [K in keyof ImageInputs]: pulumi.Input<ImageInputs[K]> };

/** A cloud image on a datastore, downloaded once and verified by the node that needs it (PVE: download-url). */
export class Image extends DynamicResource {
  declare readonly volumeId: pulumi.Output<ImageState["volumeId"]>;
  declare readonly storedName: pulumi.Output<string>;
  declare readonly resolvedFormat: pulumi.Output<string>;
  declare readonly resolvedChecksum: pulumi.Output<string>;
  declare readonly sizeBytes: pulumi.Output<number>;
  declare readonly virtualSizeBytes: pulumi.Output<number | undefined>;
  declare readonly origin: pulumi.Output<string>;

  constructor(name: string, args: Args, opts?: pulumi.CustomResourceOptions) {
    const outputs = {
      volumeId: undefined,
      storedName: undefined,
      resolvedFormat: undefined,
      resolvedChecksum: undefined,
      sizeBytes: undefined,
      virtualSizeBytes: undefined,
      origin: undefined,
    };
    super("Image", image, name, { ...outputs, ...args }, opts);
  }
}

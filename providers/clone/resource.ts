import type * as pulumi from "@pulumi/pulumi";
import { DynamicResource } from "../dynamic/resource.ts";
import { shell } from "../dynamic/shell.ts";
import type { CloneInputs, Place } from "./inputs.ts";
import type { CloneState } from "./state.ts";

const clone = shell("clone/provider.ts", { checks: true });

type Inputs<T> = { [K in keyof T]: pulumi.Input<T[K]> };
export type PlaceArgs = Omit<Place, "sourceVmId" | "cicustom"> & {
  sourceVmId: pulumi.Input<number>;
  cicustom?: pulumi.Input<string>;
};
type Args = Inputs<Omit<CloneInputs, "places">> & { places: PlaceArgs[] };

/** One clone of a template (PVE: `qm clone`, `qm set`, `qm start`). */
export class Clone extends DynamicResource {
  declare readonly node: pulumi.Output<CloneState["node"]>;
  declare readonly status: pulumi.Output<CloneState["status"]>;
  declare readonly address: pulumi.Output<CloneState["address"]>;
  declare readonly addresses: pulumi.Output<CloneState["addresses"]>;
  declare readonly pendingReboot: pulumi.Output<CloneState["pendingReboot"]>;
  declare readonly oldKeys: pulumi.Output<CloneState["oldKeys"]>;
  declare readonly error: pulumi.Output<CloneState["error"]>;
  declare readonly stateVersion: pulumi.Output<number | undefined>;

  constructor(name: string, args: Args, opts?: pulumi.CustomResourceOptions) {
    // Outputs of a dynamic resource have to be named among its inputs.
    const outputs = {
      node: undefined,
      status: undefined,
      address: undefined,
      addresses: undefined,
      pendingReboot: undefined,
      oldKeys: undefined,
      error: undefined,
      stateVersion: undefined,
    };
    super("Clone", clone, name, { ...outputs, ...args }, opts);
  }
}

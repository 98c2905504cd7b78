import * as pulumi from "@pulumi/pulumi";
import { shell } from "../shell.ts";

const preflight = shell("preflight/provider.ts", { checks: true });

interface Args {
  /** URN under which messages are shown. */
  statusUrn: pulumi.Input<string>;
}

/** Looks at config and cluster before anything is changed; see docs/preflight.md. */
export class Preflight extends pulumi.dynamic.Resource {
  /** Random identity of this stack's state: it stands in the mark of every VM of ours. */
  declare readonly fleetId: pulumi.Output<string>;

  constructor(name: string, args: Args, opts?: pulumi.CustomResourceOptions) {
    super(preflight, name, { fleetId: undefined, ...args }, opts, "golden-fleet", "Preflight");
  }
}

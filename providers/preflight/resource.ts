import type * as pulumi from "@pulumi/pulumi";
import type { Problem } from "../../config/problem.ts";
import type { Resolved } from "../../config/resolved.ts";
import type { TemplateNames } from "../../fleet/templateNames.ts";
import { DynamicResource } from "../dynamic/resource.ts";
import { shell } from "../dynamic/shell.ts";

const preflight = shell("preflight/provider.ts", { checks: true });

interface Args {
  /** URN under which messages are shown. */
  statusUrn: pulumi.Input<string>;
  /** What the program found wrong in the stack config; some of it only the program can see. */
  problems: readonly Problem[];
  /** What the config leaves to the cluster, as the program has found it. */
  resolved: Resolved;
}

/** Looks at config and cluster before anything is changed; see docs/preflight.md. */
export class Preflight extends DynamicResource {
  /** Random identity of this stack's state: it stands in the mark of every VM of ours. */
  declare readonly fleetId: pulumi.Output<string>;
  declare readonly templateNames: pulumi.Output<TemplateNames>;

  constructor(name: string, args: Args, opts?: pulumi.CustomResourceOptions) {
    const { problems, resolved, ...rest } = args;
    super(
      "Preflight",
      preflight,
      name,
      {
        fleetId: undefined,
        templateNames: undefined,
        ...rest,
        ...(problems.length > 0 && { problems }),
        ...(Object.keys(resolved).length > 0 && { resolved }),
      },
      opts,
    );
  }
}

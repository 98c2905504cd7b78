import * as pulumi from "@pulumi/pulumi";
import type { CloneSet as CloneSetConfig } from "../config/fleet.ts";
import type { Template } from "../config/template.ts";
import { Clone } from "../providers/clone/resource.ts";
import { ipConfig } from "./cloudInit/ipConfig.ts";
import { type FleetContext, ownership } from "./fleet.ts";
import { statusUrn } from "./statusUrn.ts";
import type { VmTemplate } from "./vmTemplate.ts";

const TYPE = "golden-fleet:index:CloneSet";

export interface CloneSetArgs {
  fleet: FleetContext;
  /** The clone set as the config has it. */
  set: CloneSetConfig;
  /** The template that the set names, as config and as resource. */
  template: Template;
  source: VmTemplate;
}

/** What is known of a clone. */
export interface CloneInfo {
  name: string;
  vmId: number;
  node: string;
  /** Address without prefix, or `dhcp`. */
  address: string;
  running: boolean;
}

/** The clones of one template. Its children are `<name>-<clone's name>`. */
export class CloneSet extends pulumi.ComponentResource {
  readonly clones: pulumi.Output<CloneInfo[]>;

  constructor(key: string, args: CloneSetArgs, opts?: pulumi.ComponentResourceOptions) {
    super(TYPE, key, {}, opts);
    const { fleet, set, template, source } = args;
    const { cluster } = fleet;
    const dns = template.cloudInit.dns ?? cluster.network.dns;
    const clones = set.clones.map((clone) => {
      const { name, vmId } = clone;
      const mark = ownership(fleet, {
        resource: `cloneSets.${key}.${name}`,
        vmId,
        content: set.mode,
        description: "",
        tags: set.tags,
      });
      const hostname = dns.domain && !name.includes(".") ? `${name}.${dns.domain}` : name;
      const resource = new Clone(
        `${key}-${name}`,
        {
          statusUrn: statusUrn("Clone", `${key}-${name}`, TYPE),
          node: source.nodeName,
          sourceVmId: source.vmId,
          vmId,
          name,
          hostname,
          full: set.mode === "full",
          // A linked clone is where its template's disks are.
          datastore:
            (set.mode === "full" ? set.datastore : undefined) ?? template.disk.datastore ?? cluster.datastores.disks,
          ipConfig: ipConfig(clone),
          nameservers: dns.servers,
          ...(dns.domain && { searchDomain: dns.domain }),
          ...mark,
          onBoot: set.onBoot,
          start: set.start,
        },
        { parent: this },
      );
      return pulumi.all([resource.name, resource.vmId, resource.node, resource.running]).apply(
        ([cloneName, id, node, running]): CloneInfo => ({
          name: cloneName,
          vmId: id,
          node,
          address: clone.ip.split("/")[0] ?? clone.ip,
          running,
        }),
      );
    });
    this.clones = pulumi.all(clones);
    this.registerOutputs({ clones: this.clones });
  }
}

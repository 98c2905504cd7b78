import * as pulumi from "@pulumi/pulumi";
import type { Cluster } from "../config/cluster.ts";
import type { SecretValue } from "../config/secrets.ts";
import { notes } from "../fleet/ownership.ts";
import { fleetTag } from "../fleet/tags.ts";
import type { TemplateNames } from "../fleet/templateNames.ts";

/** What every part of a fleet needs to know of the whole. */
export interface FleetContext {
  cluster: Cluster;
  /** Identity of this stack's state; see `Mark`. */
  fleetId: pulumi.Output<string>;
  /** `organization/project/stack` */
  stack: string;
  /** The secrets of the stack config. */
  secrets: readonly SecretValue[];
  /** The keys that templates had first. */
  templateNames: pulumi.Output<TemplateNames>;
}

/** The notes and tags by which a VM of this fleet is known again. */
export function ownership(
  { fleetId, stack }: FleetContext,
  vm: {
    resource: string;
    vmId: number;
    content: pulumi.Output<string>;
    description: pulumi.Input<string>;
    tags: readonly string[];
  },
): { notes: pulumi.Output<string>; tags: pulumi.Output<string[]> } {
  const { resource, vmId, content, description, tags } = vm;
  return {
    notes: pulumi
      .all([fleetId, description, content])
      .apply(([id, text, made]) => notes(text, { fleetId: id, stack, resource, vmId, content: made })),
    tags: fleetId.apply((id) => [...new Set([...tags, fleetTag(id)])].sort()),
  };
}

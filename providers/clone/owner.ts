import { parseMark } from "../../fleet/ownership.ts";
import type { PveClient } from "../../proxmox/client.ts";
import { ProxmoxError } from "../../proxmox/errors.ts";
import { type GuestConfig, locate } from "../../proxmox/guests.ts";
import type { CloneInputs } from "./inputs.ts";
import { markOf } from "./made.ts";

/** A VM and the node that it is on; it may have been migrated. */
export interface Found {
  node: string;
  config: GuestConfig;
}

/** Why a VM is not this clone: somebody else's, or another one's of this stack. undefined: it is this clone. */
export function notOurs({ node, config }: Found, clone: CloneInputs): string | undefined {
  const wanted = markOf(clone);
  const mark = parseMark(config.description);
  const vm = `"${config.name ?? "a VM without name"}" on node ${node}`;
  // The notes of a template are in its clones too, with the template's VMID.
  if (!mark || mark.vmId !== clone.vmId) return `${vm}, which this stack did not make`;
  if (mark.fleetId !== wanted.fleetId) return `${vm}, which belongs to stack ${mark.stack}`;
  if (mark.resource !== wanted.resource) return `${vm}, which is one of ${mark.resource} of this stack`;
  return undefined;
}

export function assertOurs(found: Found, clone: CloneInputs): void {
  const whose = notOurs(found, clone);
  if (whose === undefined || clone.adopt) return;
  const todo = whose.endsWith("of this stack")
    ? "Pulumi makes new clones before it deletes old ones: choose another vmId, or take the new clone out of the config, run `pulumi up`, and put it back"
    : "Choose another vmId, or say `adopt: true` if this VM is to be taken over";
  throw new ProxmoxError("not-ours", `VMID ${clone.vmId} is taken by ${whose}; it is left alone. ${todo}`);
}

/** The clone's VM, wherever it is now; the second value says whose the VM on its VMID is if it is not this clone. */
export async function findOurs(
  client: PveClient,
  clone: CloneInputs,
  node: string,
): Promise<[Found | undefined, string?]> {
  const found = await locate(client, node, clone.vmId);
  const whose = found && notOurs(found, clone);
  return whose === undefined ? [found] : [undefined, whose];
}

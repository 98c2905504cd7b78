import { parseMark } from "../../fleet/ownership.ts";
import type { PveClient } from "../../proxmox/client.ts";
import { ProxmoxError } from "../../proxmox/errors.ts";
import type { GuestConfig } from "../../proxmox/guests.ts";
import { shutDownVm } from "../../proxmox/power.ts";
import { removeVm } from "../../proxmox/removeVm.ts";
import type { Report } from "../dynamic/progress.ts";
import { failure } from "../failure.ts";
import { type FoundVm, nameOf } from "../guest/lookUp.ts";
import { atRest } from "./atRest.ts";

export interface Slot {
  node: string;
  vmId: number;
  /** The notes that the VM is about to get, with the mark. */
  notes: string;
  /** Whether the VM is to become a template: one that is not yet a template holds nothing that is worth keeping. */
  becomesTemplate: boolean;
}

const isTemplate = ({ template }: GuestConfig): boolean => Number(template ?? 0) === 1;

function refusal({ node, vmId }: Slot, code: string, text: string, next: string): ProxmoxError {
  return failure(new ProxmoxError(code, text), { stage: "create the VM", node, vmId, next });
}

/** What a task that died has left on a VMID. PVE writes the notes last, so there is no telling whose it was. */
export const halfMade = (slot: Slot, { node, busy }: FoundVm): ProxmoxError =>
  refusal(
    slot,
    "half-made",
    `VMID ${slot.vmId} is taken by what a PVE task that died has left on node ${node} (lock: ${busy})`,
    `If nobody misses it, remove it as root on ${node}: qm unlock ${slot.vmId} && qm destroy ${slot.vmId} --purge`,
  );

/** Whether the VM is the one that is wanted. A template is, too, if it has another key but the same content. */
function isWanted({ owner, mark, config }: FoundVm, wanted: { resource: string; content: string }): boolean {
  if (owner !== "ours" || !mark) return false;
  const isRenamed = mark.resource.startsWith("templates.") && mark.content === wanted.content;
  return mark.resource === wanted.resource || (isTemplate(config) && isRenamed);
}

/**
 * Makes sure that a VM can be created on its VMID. The proxmoxve plugin takes "already exists" for success and goes on with
 * whatever VM is there. So a VM that is not ours stops the run; what a killed run has left half-made is removed; and what
 * it has finished is left for the plugin to take over, which then only sees to the size of its disk.
 */
export async function freeVmId(
  client: PveClient,
  slot: Slot,
  report: Report = () => undefined,
): Promise<"free" | "removed" | "finished"> {
  const { node, vmId, becomesTemplate } = slot;
  const wanted = parseMark(slot.notes, vmId);
  if (!wanted) throw new Error(`the notes of VM ${vmId} carry no mark`);
  const found = await atRest(client, { vmId, node, fleetId: wanted.fleetId }, report);
  if (found.kind === "absent") return "free";
  const taken = `VMID ${vmId} is taken by ${nameOf(found)}`;
  if (found.kind !== "vm") throw refusal(slot, "not-ours", taken, "Choose another vmId; nothing was changed.");
  const { mark, config, busy } = found;
  if (busy) throw halfMade(slot, found);
  if (!isWanted(found, wanted)) {
    throw refusal(
      slot,
      "not-ours",
      `${taken}, which ${mark ? `stack ${mark.stack} made as ${mark.resource}` : "this stack did not make"}`,
      "Choose another vmId; the VM was left alone.",
    );
  }
  const finished = isTemplate(config) || !becomesTemplate;
  if (finished && mark?.content === wanted.content && found.node === node) return "finished";
  if (finished) {
    throw refusal(
      slot,
      "leftover",
      `${taken}. This stack made it as something else, but its state does not know it`,
      `If nothing on it is needed, remove it (on ${found.node}: qm destroy ${vmId} --purge) and run \`pulumi up\` again.`,
    );
  }
  report(`removing VM ${vmId}, which an earlier run left half-made`);
  await shutDownVm(client, { node: found.node, vmId }, 0);
  await removeVm(client, { node: found.node, vmId });
  return "removed";
}

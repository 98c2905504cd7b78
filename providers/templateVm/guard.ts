import { ownerOf, parseMark } from "../../fleet/ownership.ts";
import type { PveClient } from "../../proxmox/client.ts";
import { ProxmoxError } from "../../proxmox/errors.ts";
import { destroyGuest, type GuestConfig, listGuests, locate, power, readStatus } from "../../proxmox/guests.ts";
import { isBusy, withRetry } from "../../proxmox/retry.ts";
import { waitForTask } from "../../proxmox/task.ts";
import type { Report } from "../dynamic/progress.ts";
import { failure } from "../failure.ts";
import { waitForTasksOf } from "./tasks.ts";

export interface Slot {
  node: string;
  vmId: number;
  /** The notes that the VM is about to get, with the mark. */
  notes: string;
  /** Whether the VM is to become a template: one that is not yet a template holds nothing that is worth keeping. */
  becomesTemplate: boolean;
}

interface Found {
  node: string;
  config: GuestConfig;
}

const isTemplate = ({ template }: GuestConfig): boolean => Number(template ?? 0) === 1;

const describe = (vmId: number, { node, config }: Found) =>
  `VMID ${vmId} is taken by ${isTemplate(config) ? "template" : "VM"} "${config.name ?? "without name"}" on node ${node}`;

function refusal({ node, vmId }: Slot, code: string, text: string, next: string): ProxmoxError {
  return failure(new ProxmoxError(code, text), { stage: "create the VM", node, vmId, next });
}

/** The VM as it is when no task works on it any more: PVE goes on with what a killed run has asked for. */
async function atRest(client: PveClient, slot: Slot, report: Report): Promise<Found | undefined> {
  const { node, vmId } = slot;
  for (;;) {
    const found = await locate(client, node, vmId);
    if (!found?.config.lock) return found;
    if (await waitForTasksOf(client, found.node, vmId, report)) continue;
    if ((await locate(client, node, vmId))?.config.lock) {
      // PVE writes the notes last, so there is no telling whose it was.
      throw refusal(
        slot,
        "half-made",
        `VMID ${vmId} is taken by what a PVE task that died has left on node ${found.node} (lock: ${found.config.lock})`,
        `If nobody misses it, remove it as root on ${found.node}: qm unlock ${vmId} && qm destroy ${vmId} --purge`,
      );
    }
  }
}

async function remove(client: PveClient, node: string, vmId: number): Promise<void> {
  await withRetry(
    async () => {
      const { status } = await readStatus(client, node, vmId);
      if (status === "running") await waitForTask(client, await power(client, node, vmId, "stop"));
      await waitForTask(client, await destroyGuest(client, node, vmId));
    },
    { when: isBusy, pauseMs: 1000 },
  );
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
  const found = await atRest(client, slot, report);
  if (!found) {
    const container = (await listGuests(client)).find((guest) => guest.vmid === vmId && guest.type !== "qemu");
    if (!container) return "free";
    const text = `VMID ${vmId} is taken by container "${container.name}" on node ${container.node}`;
    throw refusal(slot, "not-ours", text, "Choose another vmId; nothing was changed.");
  }
  const mark = parseMark(found.config.description, vmId);
  if (ownerOf(found.config.description, vmId, wanted.fleetId) !== "ours" || mark?.resource !== wanted.resource) {
    throw refusal(
      slot,
      "not-ours",
      `${describe(vmId, found)}, which ${mark ? `stack ${mark.stack} made as ${mark.resource}` : "this stack did not make"}`,
      "Choose another vmId; the VM was left alone.",
    );
  }
  const finished = isTemplate(found.config) || !becomesTemplate;
  if (finished && mark.content === wanted.content && found.node === node) return "finished";
  if (finished) {
    throw refusal(
      slot,
      "leftover",
      `${describe(vmId, found)}. This stack made it as something else, but its state does not know it`,
      `If nothing on it is needed, remove it (on ${found.node}: qm destroy ${vmId} --purge) and run \`pulumi up\` again.`,
    );
  }
  report(`removing VM ${vmId}, which an earlier run left half-made`);
  await remove(client, found.node, vmId);
  return "removed";
}

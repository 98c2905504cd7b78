import type { PveClient } from "../../proxmox/client.ts";
import { ProxmoxError } from "../../proxmox/errors.ts";
import { destroyGuest, type GuestConfig, listGuests, locate, power, readStatus } from "../../proxmox/guests.ts";
import { type Mark, ownerOf, parseMark } from "../../proxmox/ownership.ts";
import { isBusy, withRetry } from "../../proxmox/retry.ts";
import { waitForTask } from "../../proxmox/task.ts";
import { failure } from "../failure.ts";

export interface Slot {
  node: string;
  vmId: number;
  /** The notes that the VM is about to get, with the mark. */
  notes: string;
  /** Whether the VM is to become a template: one that is not yet a template holds nothing that is worth keeping. */
  becomesTemplate: boolean;
}

const describe = (vmId: number, node: string, config: GuestConfig) =>
  `VMID ${vmId} is taken by ${Number(config.template) === 1 ? "template" : "VM"} "${config.name ?? "without name"}" on node ${node}`;

/**
 * Makes sure that a VM can be created on its VMID. The proxmoxve plugin takes "already exists" for success and would go
 * on with whatever VM is there: so a VM that is not ours stops the run, and what a killed run left half-made is removed.
 */
export async function freeVmId(
  client: PveClient,
  { node, vmId, notes, becomesTemplate }: Slot,
): Promise<"free" | "removed" | "finished"> {
  const wanted = parseMark(notes) as Mark;
  const found = await locate(client, node, vmId);
  if (!found) {
    const other = (await listGuests(client)).find((guest) => guest.vmid === vmId);
    if (!other || other.type === "qemu") return "free";
    throw failure(
      new ProxmoxError("not-ours", `VMID ${vmId} is taken by container "${other.name}" on node ${other.node}`),
      {
        stage: "create the VM",
        node,
        vmId,
        next: "Choose another vmId; nothing was changed.",
      },
    );
  }
  const mark = parseMark(found.config.description);
  const ours = ownerOf(found.config.description, vmId, wanted.fleetId) === "ours" && mark?.resource === wanted.resource;
  if (!ours) {
    throw failure(
      new ProxmoxError("not-ours", `${describe(vmId, found.node, found.config)}, which this stack did not make`),
      {
        stage: "create the VM",
        node,
        vmId,
        next: "Choose another vmId; the VM was left alone.",
      },
    );
  }
  const isTemplate = Number(found.config.template) === 1;
  // Finished by a run that was killed before it could write that down: the plugin takes it as it is.
  if (mark.content === wanted.content && found.node === node && isTemplate) return "finished";
  if (!becomesTemplate || isTemplate) {
    throw failure(
      new ProxmoxError(
        "leftover",
        `${describe(vmId, found.node, found.config)}. This stack made it, but its state does not know it`,
      ),
      {
        stage: "create the VM",
        node,
        vmId,
        next: `If nothing on it is needed, remove it (\`qm destroy ${vmId} --purge\` on ${found.node}) and run \`pulumi up\` again.`,
      },
    );
  }
  await withRetry(
    async () => {
      const { status } = await readStatus(client, found.node, vmId);
      if (status === "running") await waitForTask(client, await power(client, found.node, vmId, "stop"));
      await waitForTask(client, await destroyGuest(client, found.node, vmId));
    },
    { when: isBusy, pauseMs: 1000 },
  );
  return "removed";
}

import { datastoreOf, diskVolumes } from "../../proxmox/disks.ts";
import { ProxmoxError } from "../../proxmox/errors.ts";
import { shutDownVm } from "../../proxmox/power.ts";
import { removeVm } from "../../proxmox/removeVm.ts";
import type { Messages, Report } from "../dynamic/progress.ts";
import { stage } from "../failure.ts";
import { linkedTo } from "../guest/linkedTo.ts";
import { type FoundVm, type Look, nameOf } from "../guest/lookUp.ts";
import type { Run } from "../run/run.ts";
import { atRest } from "./atRest.ts";

/** The VM of a template, as the state knows it. */
export interface TemplateVm {
  vmId: number;
  fleetId: string;
  /** Node where it was last. */
  node: string;
}

/** How often a VM may move to another node while it is deleted. */
const MOVES = 5;

/** PVE refuses the same, but in the middle of the work, and names nobody. */
async function assertDeletable({ client }: Run, { node, config, busy }: FoundVm, vmId: number): Promise<void> {
  const name = `VM ${vmId} "${config.name ?? "without a name"}"`;
  if (Number(config.protection ?? 0) === 1) {
    throw new ProxmoxError(
      "protected",
      `${name} is protected. Set protection: false in its template's config and run \`pulumi up\` first`,
    );
  }
  if (busy) throw new ProxmoxError("locked", `${name} is locked (${busy})`);
  // Where a datastore cannot be listed, PVE still refuses by itself.
  const linked = await linkedTo(client, { node, vmId, config }).catch(() => []);
  if (linked.length === 0) return;
  throw new ProxmoxError(
    "in-use",
    `linked clones of ${name} are alive, which this run does not delete: ${linked.join(", ")}. Remove them, or give them disks of their own`,
  );
}

/**
 * Looks whether a template's VM can be deleted.
 *
 * @param notOurs what to say if another VM stands on its VMID
 * @returns undefined: there is nothing to delete
 */
export async function findRemovable(
  run: Run,
  { vmId, fleetId, node }: TemplateVm,
  report: Report,
  notOurs: (found: Exclude<Look, { kind: "absent" }>) => Error | undefined,
): Promise<FoundVm | undefined> {
  const found = await atRest(run.client, { vmId, fleetId, node }, report);
  if (found.kind === "absent") return undefined;
  if (found.kind === "unreachable") {
    const text = `${nameOf(found)}, so it cannot be told whose it is; run this again when the node is back`;
    throw new ProxmoxError("unreachable", text);
  }
  if (found.kind === "vm" && found.owner === "ours") {
    await assertDeletable(run, found, vmId);
    return found;
  }
  const error = notOurs(found);
  if (error) throw error;
  return undefined;
}

/** Deletes the VM of a template with its disks, wherever it is by now, if it is ours. */
export async function removeTemplateVm(
  run: Run,
  vm: TemplateVm,
  { report, warn }: Pick<Messages, "report" | "warn">,
  notOurs: (found: Exclude<Look, { kind: "absent" }>) => Error | undefined,
): Promise<void> {
  const { client } = run;
  const { vmId } = vm;
  await stage({ stage: "delete the VM", node: vm.node, vmId }, async () => {
    // It may be migrated between the look and the deletion, which then finds nothing where it was.
    for (let moves = 0; moves < MOVES; moves++) {
      const found = await findRemovable(run, vm, report, notOurs);
      if (!found) return;
      const at = { node: found.node, vmId };
      await shutDownVm(client, at, 0, { onBegin: () => report(`stopping VM ${vmId}`) });
      const [volume = ""] = Object.values(diskVolumes(found.config));
      const removed = await run.limiter.run(
        { node: found.node, datastore: datastoreOf(volume), onWait: report },
        () => {
          report(`deleting VM ${vmId}`);
          return removeVm(client, at, { onWarning: (line) => warn(`VM ${vmId} is deleted, but PVE warns: ${line}`) });
        },
      );
      if (removed) return;
    }
    throw new ProxmoxError("moving", `VM ${vmId} moved to another node ${MOVES} times while it was to be deleted`);
  });
}

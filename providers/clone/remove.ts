import { ProxmoxError } from "../../proxmox/errors.ts";
import { shutDownVm } from "../../proxmox/power.ts";
import { removeVm } from "../../proxmox/removeVm.ts";
import type { Messages } from "../dynamic/progress.ts";
import { stage } from "../failure.ts";
import type { FoundContainer, FoundVm } from "../guest/lookUp.ts";
import type { Run } from "../run/run.ts";
import { disksOfRun } from "./disksOfRun.ts";
import { leftInHolder } from "./holders.ts";
import { SHUTDOWN_SECONDS } from "./inputs.ts";
import { assertKeepable, keepDisks, type Next } from "./keepDisks.ts";
import { atRest, targetOf } from "./leftovers.ts";
import { notThisClone } from "./mark.ts";
import type { CloneState } from "./state.ts";

/** How often a VM may move to another node while it is deleted. */
const MOVES = 5;

/** A protected VM is not deleted; this is asked before it is stopped for nothing. */
function assertUnprotected({ config }: FoundVm, vmId: number): void {
  if (Number(config.protection) !== 1) return;
  throw new ProxmoxError("protected", `VM ${vmId} is protected; to take that away, run: qm set ${vmId} --protection 0`);
}

/** Whether what stands on the VMID is this clone, and so to be deleted. */
function isThisClone(found: FoundVm | FoundContainer, { spec, made }: CloneState): found is FoundVm {
  const other = notThisClone(found, made?.uuid);
  if (other === undefined) return true;
  // A clone that was never made is not missed.
  if (!made) return false;
  const text = `VMID ${spec.vmId} is taken by ${other}; it is not deleted. \`pulumi refresh\` takes the clone out of the state`;
  throw new ProxmoxError("not-ours", text);
}

/** What the config wants of the clone that takes this one's place, and which VMIDs it speaks of. */
export interface Successor {
  next: Next;
  isReserved: (vmId: number) => boolean;
}

/**
 * Shuts the clone's VM down and deletes it, with its disks. A VM that is gone already is fine.
 *
 * @param successor if it is made anew and its own disks stay: a holder has them then
 */
export async function remove(run: Run, state: CloneState, messages: Messages, successor?: Successor): Promise<void> {
  const { client } = run;
  const { spec, made } = state;
  const { vmId, shutdownSeconds: seconds = SHUTDOWN_SECONDS, name = `VM ${vmId}` } = spec;
  const target = targetOf({ ...spec, places: spec.places ?? [] });
  const node = state.node ?? spec.places?.[0]?.node ?? "";
  await stage({ stage: `delete ${name}`, node, vmId }, async () => {
    // It may be migrated between the look and the deletion, which then finds nothing where it was.
    for (let moves = 0; moves < MOVES; moves++) {
      const keeping = successor && { run, state, messages, ...successor };
      const onBegin = () =>
        messages.report(seconds > 0 ? `shutting ${name} down, for up to ${seconds} s` : `stopping ${name}`);
      // It is looked at when it is its turn, which may be minutes from now.
      const vm = await run.limiter.onNode({ node, kind: "task", onWait: messages.report }, async () => {
        const found = await atRest(client, target, node, messages.report);
        if (!found || !isThisClone(found, state)) return undefined;
        assertUnprotected(found, vmId);
        if (keeping) await assertKeepable(keeping, found);
        const at = { node: found.node, vmId };
        await shutDownVm(client, at, seconds, { onBegin });
        return at;
      });
      if (!vm) return;
      if (keeping) await keepDisks(keeping, vm.node);
      const datastore = made?.datastore ?? spec.templateDatastore ?? "";
      const removed = await run.limiter.run({ node: vm.node, datastore, onWait: messages.report }, () => {
        messages.report(`deleting ${name}`);
        return removeVm(client, vm, {
          onWarning: (line) => messages.warn(`${name} is deleted, but PVE warns: ${line}`),
        });
      });
      if (removed) return;
    }
    throw new ProxmoxError("moving", `VM ${vmId} moved to another node ${MOVES} times while it was to be deleted`);
  });
}

/**
 * Deletes the holder of a clone that is gone for good, if an earlier run has left one. Disks in it are nobody's to delete: no
 * preview has named them.
 */
export async function removeHolder(run: Run, { spec, node }: CloneState, messages: Messages): Promise<void> {
  const { holders } = disksOfRun(run);
  const { vmId, name = `VM ${vmId}`, places = [] } = spec;
  const nodes = [...(node === undefined ? [] : [node]), ...places.map((place) => place.node)];
  const holder = await holders.find(spec, nodes, (silent) =>
    messages.warn(`node ${silent} does not answer, so it is not known whether disks of ${name} wait there`),
  );
  const held = holder && (await holders.release(spec, holder));
  if (!holder || held === undefined) return;
  await holders.leave(spec, holder);
  messages.warn(leftInHolder(holder, held, name));
}

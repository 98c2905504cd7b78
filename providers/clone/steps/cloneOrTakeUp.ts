import { randomUUID } from "node:crypto";
import type { Params } from "../../../proxmox/client.ts";
import { answerOf, ProxmoxError } from "../../../proxmox/errors.ts";
import { isTransient, withRetry } from "../../../proxmox/retry.ts";
import type { FoundContainer, FoundVm } from "../../guest/lookUp.ts";
import type { Place } from "../inputs.ts";
import { madeFrom, markOf, notesOf, notThisClone, uuidOf } from "../mark.ts";
import { observedDatastore } from "../observed.ts";
import { percentOf } from "./percent.ts";
import type { Work } from "./work.ts";

export interface CloneApi {
  /** Begins a clone; gives the UPID of its task. */
  clone(sourceNode: string, sourceVmId: number, options: Params): Promise<string>;
  wait(
    upid: string,
    options: { onLog?: ((line: string) => void) | undefined; onSilence: (error: unknown) => void },
  ): Promise<unknown>;
  /** What stands on the clone's VMID once no clone task of ours works on it; what a killed one has left is gone then. */
  atRest(node: string, ownTasks: ReadonlySet<string>): Promise<FoundVm | FoundContainer | undefined>;
  readonly pauseMs: number;
}

/** @throws ProxmoxError if what stands on the clone's VMID is not this clone, and is not to be taken over */
function assertThisClone(
  found: FoundVm | FoundContainer,
  { inputs: { vmId, adopt }, state: { made } }: Work,
): asserts found is FoundVm {
  const other = notThisClone(found, made?.uuid);
  if (other === undefined || (adopt && found.kind === "vm")) return;
  const orAdopt = found.kind === "vm" ? ", or set `adopt: true` if that VM is to be taken over" : "";
  throw new ProxmoxError(
    "not-ours",
    `VMID ${vmId} is taken by ${other}; it is left alone. Choose another vmId${orAdopt}`,
  );
}

/** Notes what there is: a VM that was made just now, or one that stood on the VMID already. */
function takeUp(work: Work, { node, cicustom }: Place, found: FoundVm | undefined): void {
  const { inputs, state } = work;
  const { template, full, templateDatastore, datastore = templateDatastore, pool } = inputs;
  const made = { template, full, datastore: full ? datastore : templateDatastore };
  state.node = found?.node ?? node;
  work.config = found?.config;
  if (!found) {
    const uuid = randomUUID();
    // Only with the clones' own vendor-data does a guest take another address as the instance that it is.
    state.made = { ...made, uuid, ...(cicustom !== undefined && { instanceId: uuid }) };
    work.cicustom = cicustom;
    state.spec = { ...state.spec, places: inputs.places, ...(pool !== undefined && { pool }) };
    return;
  }
  const uuid = uuidOf(found.config.smbios1);
  state.made = { ...made, ...madeFrom(found.mark), ...(uuid !== undefined && { uuid }) };
  if (state.made.full) state.made.datastore = observedDatastore(state.made, found.config);
  state.spec = { ...state.spec, places: inputs.places };
}

/**
 * Makes the VM. What a killed run has left is taken up where it was left; so is what our own request has made if its answer
 * got lost.
 */
export async function cloneOrTakeUp(api: CloneApi, work: Work, place: Place): Promise<void> {
  const { inputs, says } = work;
  const { vmId, name, full, templateDatastore, datastore = templateDatastore, pool, template } = inputs;
  const { node, sourceVmId, sourceNode = node } = place;
  const ownTasks = new Set<string>();
  const onSilence = (error: unknown) => says.report(`waiting for an answer of ${sourceNode} (${answerOf(error)})`);
  const onLog = (line: string) => {
    const percent = percentOf(line);
    if (percent !== undefined) says.progress(`cloning VM ${sourceVmId} to ${vmId}`, percent);
  };
  const attempt = async (): Promise<FoundVm | undefined> => {
    try {
      says.report(`cloning VM ${sourceVmId} to ${vmId}`);
      const upid = await api.clone(sourceNode, sourceVmId, {
        newid: vmId,
        name,
        description: notesOf(inputs.description, markOf(inputs, { template, full })),
        full,
        ...(full && { storage: datastore }),
        ...(sourceNode !== node && { target: node }),
        ...(pool && { pool }),
      });
      ownTasks.add(upid);
      // A linked clone takes a second or two: no need to ask for its log.
      await api.wait(upid, { onSilence, ...(full && { onLog }) });
      return undefined;
    } catch (error) {
      if (!isTaken(error) && !isTransient(error)) throw error;
      const found = await api.atRest(node, ownTasks);
      if (!found) throw error;
      assertThisClone(found, work);
      return found;
    }
  };
  const found = await withRetry(attempt, {
    when: (error) => isTransient(error) || isTaken(error),
    pauseMs: api.pauseMs,
    onRetry: (error, number, attempts) =>
      says.report(`clone failed (${answerOf(error)}); try ${number + 1} of ${attempts}`),
  });
  takeUp(work, place, found);
}

const isTaken = (error: unknown): boolean => /already exists|File exists/i.test(answerOf(error));

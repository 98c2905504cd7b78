import { randomUUID } from "node:crypto";
import type { Params } from "../../../proxmox/client.ts";
import { answerOf, ProxmoxError } from "../../../proxmox/errors.ts";
import { isTransient, withRetry } from "../../../proxmox/retry.ts";
import type { FoundContainer, FoundVm } from "../../guest/lookUp.ts";
import type { Place } from "../inputs.ts";
import { madeFrom, markOf, notesOf, notThisClone } from "../mark.ts";
import { freshUuid, observedMade } from "../observed.ts";
import type { Made } from "../state.ts";
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

/** What a clone is made from, as its config says. */
function madeNow({ inputs }: Work): Made {
  const { template, full, templateDatastore, datastore = templateDatastore, firstBoot } = inputs;
  return {
    template,
    full,
    datastore: full ? datastore : templateDatastore,
    ...(firstBoot !== undefined && { firstBoot }),
  };
}

/** Notes a VM that was made just now. */
function noteNew(work: Work, { node }: Place): void {
  const { stack, fleetId, vmId, set, places, pool } = work.inputs;
  const { state } = work;
  work.isNew = true;
  work.freshUuid = randomUUID();
  state.node = node;
  state.made = madeNow(work);
  state.spec = { stack, fleetId, vmId, set, places, ...(pool !== undefined && { pool }) };
}

/** Notes a VM that stood on the VMID already. */
function noteFound(work: Work, { node, config, mark, owner }: FoundVm): void {
  const { state } = work;
  state.node = node;
  work.config = config;
  const isOurs = owner === "ours";
  // A VM that is taken over may have any mark: what the config says of it keeps the next run from making it anew.
  state.made = observedMade({ ...madeNow(work), ...(isOurs && madeFrom(mark)) }, config);
  if (isOurs) work.freshUuid = freshUuid(state, config);
  state.spec = { ...state.spec, places: work.inputs.places };
}

/**
 * Makes the VM. What a killed run has left is taken up where it was left; so is what our own request has made if its answer
 * got lost.
 */
export async function cloneOrTakeUp(api: CloneApi, work: Work, place: Place): Promise<void> {
  const { inputs, messages } = work;
  const { vmId, name, full, templateDatastore, datastore = templateDatastore, pool, template } = inputs;
  const { node, sourceVmId, sourceNode = node } = place;
  const ownTasks = new Set<string>();
  const onSilence = (error: unknown) => messages.report(`waiting for an answer of ${sourceNode} (${answerOf(error)})`);
  const onLog = (line: string) => {
    const percent = percentOf(line);
    if (percent !== undefined) messages.progress(`cloning VM ${sourceVmId} to ${vmId}`, percent);
  };
  const attempt = async (): Promise<FoundVm | undefined> => {
    try {
      messages.report(`cloning VM ${sourceVmId} to ${vmId}`);
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
      messages.report(`clone failed (${answerOf(error)}); try ${number + 1} of ${attempts}`),
  });
  if (found) noteFound(work, found);
  else noteNew(work, place);
}

const isTaken = (error: unknown): boolean => /already exists|File exists/i.test(answerOf(error));

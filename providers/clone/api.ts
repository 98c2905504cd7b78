import { addDisk, datastoreOf, deleteDisk, growDisk, moveDisk } from "../../proxmox/disks.ts";
import { cloneGuest, readConfig, readStatus, writeConfig } from "../../proxmox/guests.ts";
import { migrateVm } from "../../proxmox/migrateVm.ts";
import { pendingOptions } from "../../proxmox/pendingOptions.ts";
import { intoPool, outOfPool } from "../../proxmox/pools.ts";
import { rebootVm, requestStart, startVm } from "../../proxmox/power.ts";
import { reassignDisk } from "../../proxmox/reassignDisk.ts";
import { isTransient, withRetry } from "../../proxmox/retry.ts";
import { canSnapshot, listSnapshots, removeSnapshot, takeSnapshot } from "../../proxmox/snapshots.ts";
import { waitForTask } from "../../proxmox/task.ts";
import { lookUp } from "../guest/lookUp.ts";
import type { NodeSlot } from "../run/limits.ts";
import type { Run } from "../run/run.ts";
import { disksOfRun } from "./disksOfRun.ts";
import { cannotLook, elsewhere } from "./holders.ts";
import { giveKeys } from "./keys/giveKeys.ts";
import { atRest, targetOf } from "./leftovers.ts";
import { volumeOf } from "./ownDisks.ts";
import { waitUntilReady } from "./readiness/ready.ts";
import type { CloneApi } from "./steps/cloneOrTakeUp.ts";
import type { ConfigureApi } from "./steps/configure.ts";
import type { ExtraDisksApi } from "./steps/extraDisks.ts";
import type { FindApi } from "./steps/find.ts";
import type { GrowDiskApi } from "./steps/growDisk.ts";
import type { PoolApi } from "./steps/intoPool.ts";
import type { MigrateApi } from "./steps/migrate.ts";
import type { MoveDisksApi } from "./steps/moveDisks.ts";
import type { PlaceApi } from "./steps/place.ts";
import type { PowerApi } from "./steps/power.ts";
import type { KeysApi } from "./steps/setKeys.ts";
import type { SnapshotApi } from "./steps/snapshot.ts";
import type { ReadyApi } from "./steps/waitUntilReady.ts";
import type { Work } from "./steps/work.ts";

/** All that the steps ask of PVE; each takes the few calls that it makes. */
export type StepsApi = PlaceApi &
  CloneApi &
  FindApi &
  MigrateApi &
  PoolApi &
  MoveDisksApi &
  ConfigureApi &
  GrowDiskApi &
  ExtraDisksApi &
  PowerApi &
  ReadyApi &
  KeysApi &
  SnapshotApi;

export function stepsApi(run: Run, { inputs, messages }: Pick<Work, "inputs" | "messages">): StepsApi {
  const { client, nodeMemory, limiter } = run;
  const { holders } = disksOfRun(run);
  const { vmId, fleetId } = inputs;
  const { pauseMs } = client;
  const onNode = <T>(node: string, kind: NodeSlot["kind"], work: () => Promise<T>) =>
    limiter.onNode({ node, kind, onWait: messages.report }, work);
  return {
    pauseMs,
    freeMemory: () => nodeMemory.free(),
    lookUp: (node) => lookUp(client, { vmId, fleetId, node }),
    atRest: (node, begun) => atRest(client, targetOf(inputs), node, messages.report, begun),
    clone: (node, source, options) => cloneGuest(client, node, source, options),
    wait: (upid, options) => waitForTask(client, upid, options),
    migrate: (vm, target, options) => onNode(vm.node, "migration", () => migrateVm(client, vm, target, options)),
    intoPool: (pool, id) => intoPool(client, pool, id),
    outOfPool: (pool, id) => outOfPool(client, pool, id),
    moveDisk: (vm, disk, options) =>
      limiter.run({ node: vm.node, datastore: disk.datastore, onWait: messages.report }, () =>
        moveDisk(client, vm, disk, options),
      ),
    readConfig: (node, id) => readConfig(client, node, id),
    setOptions: (vm, options) =>
      withRetry(() => writeConfig(client, vm.node, vm.vmId, options), { when: isTransient, pauseMs }),
    growDisk: (vm, disk, onBegin) => growDisk(client, vm, disk, { onBegin }),
    findHolder: () =>
      holders.find(
        inputs,
        inputs.places.map(({ node }) => node),
        (silent) => {
          if (inputs.keepDisks) cannotLook(silent, inputs.name);
        },
      ),
    takeBack: (holder, drive, { node, vmId: toVmId }, toDrive) => {
      if (holder.node !== node) throw elsewhere(holder, node, inputs.name);
      const datastore = datastoreOf(volumeOf(holder.config, drive) ?? "");
      return limiter.run({ node, datastore, onWait: messages.report }, () =>
        reassignDisk(client, holder, { drive, toVmId, toDrive }),
      );
    },
    releaseHolder: (holder) => holders.release(inputs, holder),
    addDisk: (vm, { drive, datastore, sizeGiB, options }, more) =>
      limiter.run({ node: vm.node, datastore, onWait: messages.report }, () => {
        const value = [`${datastore}:${sizeGiB}`, options].filter(Boolean).join(",");
        return addDisk(client, vm, { drive, value }, more);
      }),
    deleteDisk: (vm, drive) => onNode(vm.node, "task", () => deleteDisk(client, vm, drive)),
    readStatus: (node, id) => readStatus(client, node, id),
    pendingOptions: (node, id) => pendingOptions(client, node, id),
    start: (vm, options) => onNode(vm.node, "task", () => startVm(client, vm, options)),
    requestStart: (vm) => onNode(vm.node, "task", () => requestStart(client, vm)),
    reboot: (vm, seconds) => onNode(vm.node, "task", () => rebootVm(client, vm, seconds)),
    waitUntilReady: (guest, options, who) =>
      onNode(guest.node, "guest", () => waitUntilReady(client, guest, options, who)),
    canSnapshot: (vm) => canSnapshot(client, vm),
    snapshots: (vm) => listSnapshots(client, vm),
    takeSnapshot: (vm, snapshot) => onNode(vm.node, "task", () => takeSnapshot(client, vm, snapshot)),
    removeSnapshot: (vm, name) => onNode(vm.node, "task", () => removeSnapshot(client, vm, name)),
    giveKeys: (guest, login, seconds, who) =>
      onNode(guest.node, "guest", () => giveKeys(client, guest, login, seconds, who)),
  };
}

import { cloudInitVolume, datastoreOf, diskVolumes } from "../../../proxmox/disks.ts";
import type { GuestConfig } from "../../../proxmox/guests.ts";
import type { RunOptions } from "../../../proxmox/task.ts";
import { movesDisks } from "../diff.ts";
import { percentOf } from "./percent.ts";
import { madeOf, vmOf, type Work } from "./work.ts";

export interface MoveDisksApi {
  readConfig(node: string, vmId: number): Promise<GuestConfig | undefined>;
  moveDisk(
    vm: { node: string; vmId: number },
    disk: { drive: string; datastore: string },
    options: RunOptions,
  ): Promise<void>;
}

/** Moves the disks that a full clone has of its template to the datastore that the config names, running or not. */
export async function moveDisks(api: MoveDisksApi, work: Work): Promise<void> {
  const { inputs, state, messages } = work;
  const { datastore, name } = inputs;
  if (datastore === undefined || !movesDisks(state, inputs)) return;
  const vm = vmOf(work);
  const config = (await api.readConfig(vm.node, vm.vmId)) ?? {};
  // Without its cloud-init drive the VM could not start once the old datastore is gone.
  const volumes = { ...diskVolumes(config), ...cloudInitVolume(config) };
  // Each of its own disks has a datastore of its own.
  const own = new Set((state.spec.disks ?? []).map(({ drive }) => drive));
  const elsewhere = Object.entries(volumes).filter(
    ([drive, volume]) => datastoreOf(volume) !== datastore && !own.has(drive),
  );
  for (const [drive] of elsewhere) {
    const doing = `moving ${drive} of ${name} to datastore ${datastore}`;
    messages.report(doing);
    const onLog = (line: string) => {
      const percent = percentOf(line);
      if (percent !== undefined) messages.progress(doing, percent);
    };
    await api.moveDisk(vm, { drive, datastore }, { onLog });
  }
  state.made = { ...madeOf(work), datastore };
  // The volumes have other names now.
  work.config = undefined;
}

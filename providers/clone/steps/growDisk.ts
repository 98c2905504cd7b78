import type { GuestConfig } from "../../../proxmox/guests.ts";
import { vmOf, type Work } from "./work.ts";

export interface GrowDiskApi {
  readConfig(node: string, vmId: number): Promise<GuestConfig | undefined>;
  growDisk(
    vm: { node: string; vmId: number },
    disk: { drive: string; sizeGiB: number; config: GuestConfig },
    onBegin: () => void,
  ): Promise<unknown>;
}

/** Grows the boot disk where it has less than the config says. */
export async function growDisk(api: GrowDiskApi, work: Work): Promise<void> {
  const { inputs, state, messages } = work;
  const { diskGiB: sizeGiB, bootDisk: drive, name } = inputs;
  const { diskGiB: _size, bootDisk: _drive, ...rest } = state.spec;
  if (sizeGiB === undefined || drive === undefined) {
    state.spec = rest;
    return;
  }
  const vm = vmOf(work);
  const config = work.config ?? (await api.readConfig(vm.node, vm.vmId)) ?? {};
  await api.growDisk(vm, { drive, sizeGiB, config }, () =>
    messages.report(`growing ${drive} of ${name} to ${sizeGiB} GiB`),
  );
  state.spec = { ...rest, diskGiB: sizeGiB, bootDisk: drive };
}

import type { Project, StackConfig } from "./project.ts";

/** What tests of clones' own disks have in common. */

export type Disk = {
  sizeGiB: number;
  bus?: "scsi" | "virtio" | "sata";
  cache?: "none" | "writeback";
  backup?: boolean;
};

/** The second clone has disks of its own. */
export const withDisks =
  (extraDisks: Disk[], own: object = {}, ofSet: object = {}) =>
  ({ cloneSets }: StackConfig) => {
    const set = (cloneSets?.web ?? {}) as { clones?: object[] };
    const clone = { name: "web-2", vmId: 9102, ip: "10.0.0.22/24", gateway: "10.0.0.1" };
    set.clones?.splice(1, 1, { ...clone, ...(extraDisks.length > 0 && { extraDisks }), ...own });
    Object.assign(set, ofSet);
  };

/** The volumes of a VMID. */
export async function volumesOf({ lab }: Project, vmId: number): Promise<string[]> {
  const { volumes } = await lab.control.state();
  return Object.values(volumes).flatMap((all) =>
    Object.entries(all).flatMap(([name, volume]) => (volume.vmid === vmId ? [name] : [])),
  );
}

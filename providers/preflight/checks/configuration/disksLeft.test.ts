import { expect, test } from "vitest";
import type { GuestEntry } from "../../../../proxmox/guests.ts";
import { fakeConfigs, fakeFacts, fakeFleet, found } from "../../fakeFacts.ts";
import { disksLeft } from "./disksLeft.ts";

const mark = (vmid: number, clone: number, fleet = "f1ee7000") =>
  `proxmox-golden-fleet: fleet=${fleet} stack=s resource=disksOf.${clone} vmid=${vmid} content=scsi0`;
const guests = async (): Promise<GuestEntry[]> =>
  [105, 106, 107, 108, 109].map((vmid) => ({ vmid, node: "pve1", type: "qemu", name: `disks-of-${vmid + 8996}` }));
const disk = { scsi0: "local-lvm:vm-105-disk-0,size=8G" };

test("disks that wait for their clone are a note, those that nothing gets a warning; only ours", async () => {
  const clones = [{ name: "web-1", vmId: 9101, extraDisks: [{ sizeGiB: 8 }], keepDisks: true }];
  const fleet = fakeFleet({ cloneSets: { web: { template: "noble", clones } } });
  const guestConfig = fakeConfigs({
    105: { description: mark(105, 9101), ...disk },
    106: { description: mark(106, 9102), unused0: "local-lvm:vm-106-disk-0" },
    107: { description: mark(107, 9103, "0ther000"), ...disk },
    108: { description: mark(108, 9104) },
    109: { ...disk },
  });
  expect(await found(disksLeft, fakeFacts({ fleet, guests, guestConfig }))).toEqual([
    "note VM 105 on node pve1 holds scsi0 (local-lvm:vm-105-disk-0) of VM 9101, which was to be made anew: `pulumi up` gives it back",
    "warn VM 106 on node pve1 holds unused0 (local-lvm:vm-106-disk-0) of VM 9102, which the config does not have with extraDisks any more: nothing gets it",
  ]);
});

test("without such VMs there is nothing to say", async () => {
  expect(await disksLeft.run(fakeFacts())).toEqual([]);
});

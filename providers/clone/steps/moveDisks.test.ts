import { describe, expect, it } from "vitest";
import type { CloneDisk } from "../../../fleet/cloneDisks.ts";
import { inTurn } from "../../../proxmox/fakeClient.ts";
import { fakeClone, fakeMade, fakeState, fakeWork } from "../fakeClone.ts";
import type { CloneInputs } from "../inputs.ts";
import { moveDisks } from "./moveDisks.ts";

const CONFIG = {
  scsi0: "local-lvm:vm-9101-disk-1,size=20G",
  scsi1: "hdd:vm-9101-disk-0,size=80G",
  efidisk0: "local-lvm:vm-9101-disk-0,efitype=4m",
  ide2: "local-lvm:vm-9101-cloudinit,media=cdrom",
};

async function moving(
  inputs: Partial<CloneInputs>,
  {
    full = true,
    moves = [undefined] as (Error | undefined)[],
    disks,
  }: { full?: boolean; moves?: (Error | undefined)[]; disks?: CloneDisk[] } = {},
) {
  const moved: string[] = [];
  const next = inTurn(...moves);
  const work = fakeWork(
    { full, ...inputs },
    {
      state: fakeState({ made: fakeMade({ full }), spec: fakeClone(disks && { disks }) }),
      config: CONFIG,
    },
  );
  const api = {
    readConfig: async () => CONFIG,
    moveDisk: async (
      { node }: { node: string; vmId: number },
      { drive, datastore }: { drive: string; datastore: string },
      options: { onLog?: ((line: string) => void) | undefined },
    ) => {
      options.onLog?.("drive mirror: transferred 2.0 GiB of 20.0 GiB (10.00%) in 2s");
      const error = next();
      if (error) throw error;
      moved.push(`${drive} on ${node} to ${datastore}`);
    },
  };
  const error = await moveDisks(api, work).catch((one: Error) => one);
  return { moved, error, work };
}

describe("the disks of a full clone", () => {
  it("go to the datastore that its config names, those that are not there; volumes have other names then", async () => {
    const { moved, work } = await moving({ datastore: "hdd" });
    // The cloud-init drive goes too: without it the VM would not start once the old datastore is gone.
    expect(moved).toEqual(["scsi0 on pve1 to hdd", "efidisk0 on pve1 to hdd", "ide2 on pve1 to hdd"]);
    expect(work.state.made).toEqual(fakeMade({ full: true, datastore: "hdd" }));
    expect(work.config).toBeUndefined();
    expect(work.messages.said).toContain("progress: moving scsi0 of web-1 to datastore hdd: 10%");
  });

  it("of its own stay on the datastores that they have themselves", async () => {
    const disks = [{ drive: "scsi0", datastore: "local-lvm", sizeGiB: 20, options: "" }];
    const { moved } = await moving({ datastore: "hdd" }, { disks });
    expect(moved).toEqual(["efidisk0 on pve1 to hdd", "ide2 on pve1 to hdd"]);
  });

  it("are where they were for the state until all of them have moved", async () => {
    const full = new Error("no space left");
    const { moved, work, error } = await moving({ datastore: "hdd" }, { moves: [undefined, full] });
    expect(moved).toHaveLength(1);
    expect(error).toBe(full);
    expect(work.state.made?.datastore).toBe("local-lvm");
  });

  it.each<[string, Partial<CloneInputs>]>([
    ["the config does not care", {}],
    ["they are there", { datastore: "local-lvm" }],
    ["only the template's datastore is another one", { templateDatastore: "hdd" }],
  ])("stay where they are when %s", async (_when, inputs) => {
    expect((await moving(inputs)).moved).toEqual([]);
  });

  it("of a linked clone stay with the template's", async () => {
    expect((await moving({ datastore: "hdd" }, { full: false })).moved).toEqual([]);
  });
});

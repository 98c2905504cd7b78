import { describe, expect, it } from "vitest";
import type { CloneDisk } from "../../../fleet/cloneDisks.ts";
import type { Params } from "../../../proxmox/client.ts";
import type { GuestConfig } from "../../../proxmox/guests.ts";
import { fakeClone, fakeState, fakeWork } from "../fakeClone.ts";
import type { CloneInputs } from "../inputs.ts";
import { extraDisks } from "./extraDisks.ts";

const disk = (drive: string, change: Partial<CloneDisk> = {}): CloneDisk => ({
  drive,
  datastore: "local-lvm",
  sizeGiB: 8,
  options: "discard=on",
  ...change,
});
const value = (number: number, more = "discard=on,size=8G") => `local-lvm:vm-9101-disk-${number},${more}`;

async function working(
  wanted: CloneDisk[] | undefined,
  {
    have,
    config = {},
    fails,
    holder,
    isUnfinished,
    ...inputs
  }: {
    have?: CloneDisk[];
    config?: GuestConfig;
    fails?: string;
    holder?: GuestConfig;
    isUnfinished?: boolean;
  } & Partial<CloneInputs> = {},
) {
  const asked: string[] = [];
  const held = { ...holder };
  const spec = fakeClone(have && { disks: have });
  const had = isUnfinished && { holder: { node: "pve1", vmId: 105, config: held } };
  const work = fakeWork({ ...inputs, ...(wanted && { disks: wanted }) }, { state: fakeState({ spec }), ...had });
  const ask = (text: string) => {
    asked.push(text);
    if (text === fails) throw new Error("refused");
  };
  const api = {
    findHolder: async () => {
      asked.push("find");
      return holder && { node: "pve1", vmId: 105, config: held };
    },
    takeBack: async (_holder: object, from: string, _vm: object, drive: string) => {
      config[drive] = held[from];
      Reflect.deleteProperty(held, from);
      ask(`take ${from} back as ${drive}`);
    },
    releaseHolder: async () => {
      asked.push("release");
      return Object.keys(held).find((key) => key !== "description");
    },
    readConfig: async () => {
      asked.push("read");
      return config;
    },
    addDisk: async (_vm: object, { drive, datastore, sizeGiB }: CloneDisk) =>
      ask(`add ${drive} ${datastore}:${sizeGiB}`),
    deleteDisk: async (_vm: object, drive: string) => ask(`delete ${drive}`),
    setOptions: async (_vm: object, options: Params) => ask(`set ${JSON.stringify(options)}`),
    moveDisk: async (_vm: object, { drive, datastore }: { drive: string; datastore: string }) =>
      ask(`move ${drive} to ${datastore}`),
    growDisk: async (_vm: object, { drive, sizeGiB }: { drive: string; sizeGiB: number; config: GuestConfig }) =>
      ask(`grow ${drive} to ${sizeGiB}`),
  };
  const error = await extraDisks(api, work).catch((one: Error) => one.message);
  return { asked, error, disks: work.state.spec.disks, said: work.messages.said };
}

describe("a clone's own disks", () => {
  it("cost a clone that has none nothing", async () => {
    expect(await working(undefined)).toMatchObject({ asked: [], disks: undefined });
  });

  it("are added one by one; the state has those that were, when one is refused", async () => {
    const both = [disk("scsi1"), disk("scsi2", { datastore: "hdd", sizeGiB: 9 })];
    expect(await working(both)).toMatchObject({
      asked: ["read", "find", "add scsi1 local-lvm:8", "find", "add scsi2 hdd:9"],
      disks: both,
    });
    expect(await working(both, { fails: "add scsi2 hdd:9" })).toMatchObject({
      error: "refused",
      disks: [both[0], { ...both[1], sizeGiB: 0 }],
    });
  });

  it("that a killed run has made are taken up; anything else on their drive is left alone", async () => {
    expect((await working([disk("scsi1")], { config: { scsi1: value(3) } })).asked).toEqual([
      "read",
      "grow scsi1 to 8",
    ]);
    for (const scsi1 of [value(3, "discard=on,size=9G"), value(3, "size=8G"), "none,media=cdrom"]) {
      const { asked, error, disks } = await working([disk("scsi1")], { config: { scsi1 } });
      expect(asked).toEqual(["read"]);
      expect(error).toBe(
        `scsi1 of VM 9101 is taken by ${scsi1}, which this stack did not put there, and is to be a disk of web-1 with 8 GiB; it is left alone. Put it on another drive, or take the disk out of extraDisks`,
      );
      expect(disks).toEqual([disk("scsi1", { sizeGiB: 0 })]);
    }
  });

  it("of a VM that is taken over become what the config says", async () => {
    const config = { scsi1: value(3, "size=4G") };
    expect((await working([disk("scsi1")], { config, adopt: true })).asked).toEqual([
      "read",
      `set {"scsi1":"${value(3, "size=4G,discard=on")}"}`,
      "grow scsi1 to 8",
    ]);
  });

  it("that are there are changed, moved and grown, on the drives that they have", async () => {
    const wanted = [disk("scsi2", { datastore: "hdd", sizeGiB: 16, options: "cache=unsafe" })];
    const { asked, disks } = await working(wanted, { have: [disk("scsi1")], config: { scsi1: value(3) } });
    expect(asked).toEqual([
      "read",
      `set {"scsi1":"${value(3, "size=8G,cache=unsafe")}"}`,
      "move scsi1 to hdd",
      "read",
      "grow scsi1 to 16",
    ]);
    expect(disks).toEqual([{ ...wanted[0], drive: "scsi1" }]);
  });

  it("that somebody has removed are made anew", async () => {
    const { asked } = await working([disk("scsi1")], { have: [disk("scsi1", { sizeGiB: 0 })] });
    expect(asked).toEqual(["read", "find", "add scsi1 local-lvm:8"]);
  });

  const mark = (content: string) =>
    `proxmox-golden-fleet: fleet=c1d2be9a stack=s resource=disksOf.9101 vmid=105 content=${content}`;

  it("come back from their holder, which then goes; they become what the config says", async () => {
    const wanted = [disk("scsi2"), disk("scsi3", { sizeGiB: 16 }), disk("virtio0")];
    const holder = { description: mark("scsi0,scsi1"), scsi0: value(1), scsi1: value(2, "size=8G") };
    const { asked, disks } = await working(wanted, { holder });
    expect(asked).toEqual([
      ...["read", "find", "take scsi0 back as scsi2", "read", "grow scsi2 to 8"],
      ...["take scsi1 back as scsi3", "read", `set {"scsi3":"${value(2, "size=8G,discard=on")}"}`, "grow scsi3 to 16"],
      ...["add virtio0 local-lvm:8", "release"],
    ]);
    expect(disks).toEqual(wanted);
  });

  it("that a killed run has got back, and no more, become what the config says", async () => {
    const config = { scsi1: value(1, "size=20G") };
    const options = { holder: { description: mark("scsi0") }, config };
    expect((await working([disk("scsi1")], { ...options, isUnfinished: true })).asked).toEqual([
      ...["read", `set {"scsi1":"${value(1, "size=20G,discard=on")}"}`, "grow scsi1 to 8", "release"],
    ]);
    expect((await working([disk("scsi1")], options)).error).toMatch(/^scsi1 of VM 9101 is taken by/);
  });

  it("that a killed task has lost on the way are not replaced by empty ones, and the holder stays", async () => {
    const { asked, error } = await working([disk("scsi1")], { holder: { description: mark("scsi0") } });
    expect(asked).toEqual(["read", "find"]);
    expect(error).toBe(
      "scsi1 with 8 GiB was in VM 105 and is to be given back to VM 9101, but neither has it now: a task of PVE was killed on the way. On pve1, `qm rescan --vmid 9101` lists its volume as unused; attach it with: qm set 9101 --scsi1 <volume>,discard=on",
    );
  });

  it("that the config has no place for stay in the holder, and this is told", async () => {
    const holder = { description: mark("scsi0,scsi1"), scsi0: value(1), scsi1: value(2) };
    const { said } = await working([disk("scsi1")], { holder });
    expect(said.at(-1)).toBe(
      "warn: VM 105 (on pve1) still holds scsi1 of web-1, and nothing in the config is to get it; it is left alone. If nobody needs it, run on pve1: qm set 105 --protection 0 && qm destroy 105 --purge",
    );
  });

  it("that have left the config are deleted, and this is told; one that is gone already is forgotten", async () => {
    const have = [disk("scsi1"), disk("scsi2"), disk("scsi3")];
    const config = { scsi1: value(1), scsi2: value(2) };
    const { asked, disks, said } = await working([disk("scsi1")], { have, config });
    expect(asked).toEqual(["read", "delete scsi2", "grow scsi1 to 8"]);
    expect(said).toContain("info: deleting disk scsi2 with 8 GiB of web-1");
    expect(disks).toEqual([disk("scsi1")]);
    expect((await working(undefined, { have, config, fails: "delete scsi1" })).disks).toEqual(have);
  });

  it("are not deleted while the VM has snapshots, in which they may be needed", async () => {
    const config = { scsi1: value(1), parent: "before-upgrade" };
    const { asked, error } = await working([], { have: [disk("scsi1")], config });
    expect(asked).toEqual(["read"]);
    expect(error).toMatch(/^VM 9101 has snapshots \(the last is "before-upgrade"\).*scsi1 is left alone/);
  });

  it("are not deleted when their drive holds something else by now", async () => {
    for (const scsi1 of [value(1).replace("local-lvm", "hdd"), value(1, "size=4G"), "none,media=cdrom"]) {
      const { asked, error } = await working(undefined, { have: [disk("scsi1")], config: { scsi1 } });
      expect(asked).toEqual(["read"]);
      expect(error).toMatch(/^scsi1 of VM 9101 is .*, and not the disk with 8 GiB on local-lvm that is to be deleted/);
    }
  });
});

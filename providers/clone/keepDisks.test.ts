import { describe, expect, it } from "vitest";
import type { Cluster } from "../../config/cluster.ts";
import type { CloneDisk } from "../../fleet/cloneDisks.ts";
import { ApiError } from "../../proxmox/errors.ts";
import { fakeClient } from "../../proxmox/fakeClient.ts";
import type { GuestConfig } from "../../proxmox/guests.ts";
import { Run } from "../run/run.ts";
import { fakeClone, fakeMade, fakeMessages, fakeState } from "./fakeClone.ts";
import { assertKeepable, keepDisks, type Next } from "./keepDisks.ts";
import { markOf, notesOf } from "./mark.ts";

const disk = (drive: string, change: Partial<CloneDisk> = {}): CloneDisk => ({
  drive,
  datastore: "local-lvm",
  sizeGiB: 8,
  options: "",
  ...change,
});
const value = (vmId: number, n: number) => `local-lvm:vm-${vmId}-disk-${n},size=8G`;
const limits = { clonesPerTemplate: 4, clonesPerDatastore: 4 };
const places = [{ node: "pve1", sourceVmId: 9000 }];
const HELD = "proxmox-golden-fleet: fleet=c1d2be9a stack=s resource=disksOf.9101 vmid=105 content=scsi0,scsi1";

/** A clone with two disks of its own, scsi1 and scsi2, that is to be made anew. */
function keeping({
  config = { scsi0: value(9101, 0), scsi1: value(9101, 1), scsi2: value(9101, 2) } as GuestConfig,
  holder,
  next = { disks: [disk("scsi1"), disk("scsi2")], keepDisks: true, places } as Next,
  active = 1,
  refuses,
  state: had = { disks: [disk("scsi1"), disk("scsi2")] },
  drives,
}: {
  state?: { disks: CloneDisk[] };
  drives?: string[];
  config?: GuestConfig;
  holder?: GuestConfig;
  next?: Next;
  active?: number;
  refuses?: string;
} = {}) {
  const vms: Record<string, GuestConfig> = {
    9101: { ...config, description: notesOf(undefined, markOf(fakeClone(), fakeMade())) },
    ...(holder && { 105: { description: HELD, ...holder } }),
  };
  const { client, asked } = fakeClient((call, params) => {
    const id = call.split("/")[4] ?? "";
    if (call.endsWith("/storage")) return [{ storage: "local-lvm", active, shared: 0 }];
    if (call.startsWith("GET /cluster/resources")) return [];
    if (call.startsWith("GET /cluster/nextid")) return "105";
    if (call === "GET /nodes/pve1/qemu") return holder ? [{ vmid: 105, name: "disks-of-9101" }] : [];
    if (call.includes("/tasks")) return call.endsWith("/status") ? { status: "stopped", exitstatus: "OK" } : [];
    if (call.startsWith("GET")) return vms[id] ?? new ApiError("GET", 500, "Configuration file 'x' does not exist");
    if (call === "POST /nodes/pve1/qemu") {
      vms[105] = { description: String(params.description) };
      return "UPID:pve1:1:2:3:qmcreate:105:a@pve:";
    }
    if (call.startsWith("PUT")) return null;
    const { disk: drive, "target-disk": target } = params as { disk: string; "target-disk": string };
    if (drive === refuses) return new ApiError("POST", 500, "no");
    Object.assign(vms[105] ?? {}, { [target]: String(vms[9101]?.[drive]).replace("9101", "105") });
    Reflect.deleteProperty(vms[9101] ?? {}, drive);
    return "UPID:pve1:1:2:3:qmmove:x:a@pve:";
  });
  const state = fakeState({ spec: fakeClone(had), made: { ...fakeMade(), ...(drives && { drives }) } });
  const messages = fakeMessages();
  const work = { run: new Run(client, { limits } as Cluster), state, next, messages, isReserved: () => false };
  const found = {
    ...({ kind: "vm", node: "pve1", owner: "ours", mark: undefined, busy: undefined } as const),
    config: vms[9101] ?? {},
  };
  const text = (error: Error) => error.message;
  return {
    check: () => assertKeepable(work, found).catch(text),
    keep: () => keepDisks(work, "pve1").catch(text),
    vms,
    moves: () => asked.filter((call) => call.includes("/move_disk")).map((call) => /"disk":"(\w+)"/.exec(call)?.[1]),
    asked,
  };
}

describe("disks that are kept", () => {
  it("go to a holder, on drives that say which of the clone's own they are; the template's stays", async () => {
    const { check, keep, vms } = keeping();
    expect([await check(), await keep()]).toEqual([undefined, undefined]);
    expect(vms[9101]).not.toHaveProperty("scsi1");
    expect(vms[9101]).toHaveProperty("scsi0");
    expect(vms[105]).toMatchObject({ scsi0: value(105, 1), scsi1: value(105, 2) });
    expect(vms[105]?.description).toMatch(/content=scsi0,scsi1$/);
  });

  it.each([
    ["on another drive", { scsi3: value(9101, 1) }],
    ["that somebody has detached", { unused0: "local-lvm:vm-9101-disk-1" }],
  ])("are not deleted with the VM when the state does not know them: one %s", async (_where, strange) => {
    const config = { scsi0: value(9101, 0), scsi2: value(9101, 2), boot: "order=scsi0", ...strange };
    const { check, asked } = keeping({ config, state: { disks: [disk("scsi1", { sizeGiB: 0 }), disk("scsi2")] } });
    const [drive] = Object.keys(strange);
    expect(await check()).toMatch(new RegExp(`^VM 9101 has ${drive} .*nothing was deleted$`));
    expect(asked).toEqual([]);
    // A killed run has taken it up, and its state knows no disks.
    expect(await keeping({ config, state: { disks: [] } }).check()).toContain(`${drive} (`);
  });

  it("do not make a disk of the template a stranger, as long as that is known", async () => {
    const config = { scsi0: value(9101, 0), scsi1: value(9101, 1), scsi2: value(9101, 2), boot: "order=scsi0" };
    const state = { disks: [disk("scsi2")] };
    expect(await keeping({ config, state, drives: ["scsi0", "scsi1"] }).check()).toBeUndefined();
    expect(await keeping({ config, state }).check()).toContain("scsi1 (");
  });

  it("are those that the config still has; without any, nothing is asked", async () => {
    const { keep, moves } = keeping({ next: { disks: [disk("scsi1")], keepDisks: true, places } });
    expect(await keep()).toBeUndefined();
    expect(moves()).toEqual(["scsi1"]);
    const none = keeping({ next: { disks: [disk("scsi1")], places } });
    expect([await none.check(), await none.keep(), none.asked]).toEqual([undefined, undefined, []]);
  });

  it("of which a killed run has moved some: the rest follows, to the same holder", async () => {
    const config = { scsi2: value(9101, 2) };
    const { check, keep, moves, vms, asked } = keeping({ config, holder: { scsi0: value(105, 1) } });
    expect([await check(), await keep()]).toEqual([undefined, undefined]);
    expect(moves()).toEqual(["scsi2"]);
    expect(vms[105]).toMatchObject({ scsi0: value(105, 1), scsi1: value(105, 2) });
    expect(asked).not.toContain("POST /nodes/pve1/qemu");
  });

  it("of which PVE refuses one are a failure; those that have moved wait in the holder", async () => {
    const { keep, vms } = keeping({ refuses: "scsi2" });
    expect(await keep()).toMatch(/no$/);
    expect(vms[105]).toHaveProperty("scsi0");
    expect(vms[9101]).toHaveProperty("scsi2");
  });
});

describe("what cannot be kept is told before anything is done", () => {
  it.each<[string, Parameters<typeof keeping>[0], RegExp]>([
    [
      "the clone is to be on another node",
      { next: { disks: [disk("scsi1")], keepDisks: true, places: [{ node: "pve2", sourceVmId: 9000 }] } },
      /^the disks of web-1 are on node pve1, and PVE gives them to no VM of another node, but it is to be made anew on pve2: .*; nothing was deleted$/,
    ],
    [
      "it has snapshots",
      { config: { scsi1: value(9101, 1), scsi2: value(9101, 2), parent: "before" } },
      /^VM 9101 has snapshots \(the last is "before"\)/,
    ],
    ["the datastore is off", { active: 0 }, /^datastore local-lvm of scsi1 of web-1 is not reachable from node pve1/],
    [
      "a disk is gone",
      { config: { scsi1: value(9101, 1) } },
      /^scsi2 with 8 GiB of web-1 is to be kept, but VM 9101 does not have it; put it back on scsi2/,
    ],
    [
      "a disk got lost on the way to the holder",
      { config: { scsi1: value(9101, 1) }, holder: {} },
      /^scsi2 with 8 GiB of web-1 is to be kept, but VM 9101 does not have it, and neither has VM 105, .*qm rescan --vmid 105/,
    ],
    [
      "the holder has another disk in its place",
      { holder: { scsi0: value(105, 7) } },
      /^VM 105 on pve1 holds another scsi0 of web-1 already/,
    ],
  ])("%s", async (_why, options, text) => {
    const { check, asked } = keeping(options);
    expect(await check()).toMatch(text);
    expect(asked.filter((call) => !call.startsWith("GET"))).toEqual([]);
  });
});

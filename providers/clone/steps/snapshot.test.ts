import { describe, expect, it } from "vitest";
import { notes } from "../../../fleet/ownership.ts";
import type { Snapshot } from "../../../proxmox/snapshots.ts";
import { fakeClone, fakeMade, fakeState, fakeWork } from "../fakeClone.ts";
import type { CloneInputs } from "../inputs.ts";
import { markOf } from "../mark.ts";
import type { CloneState } from "../state.ts";
import { checkSnapshot, type SnapshotApi, snapshot, snapshotName } from "./snapshot.ts";

const NOW = new Date("2026-11-24T13:45:07.123Z");
const DAY = 24 * 3600;
const asked = (daysAgo: number) => NOW.getTime() / 1000 - daysAgo * DAY;

/** A snapshot as this stack takes them of VM 9101, unless it is said otherwise. */
const ours = (change: Partial<Snapshot> & { of?: Partial<CloneInputs> } = {}): Snapshot => {
  const { of = {}, ...more } = change;
  const description = notes("before a change by pulumi up: cores", markOf(fakeClone(of), fakeMade()));
  return { name: "fleet-20261101-120000-cores", description, snaptime: asked(8), ...more };
};

async function taken(
  inputs: Partial<CloneInputs>,
  { state = {}, there = [], stuck }: { state?: Partial<CloneState>; there?: Snapshot[]; stuck?: string } = {},
) {
  const calls: string[] = [];
  const before = fakeState(state);
  const work = fakeWork(inputs, { state: before });
  let text = "";
  const api: SnapshotApi = {
    canSnapshot: async () => true,
    snapshots: async () => {
      calls.push("list");
      return there;
    },
    takeSnapshot: async (_vm, { name, description }) => {
      calls.push(`take ${name}`);
      text = description;
    },
    removeSnapshot: async (_vm, name) => {
      calls.push(`remove ${name}`);
      if (name === stuck) throw new Error("VM is locked (backup)");
    },
  };
  await snapshot(api, work, before, NOW);
  return { calls, text, said: work.messages.said };
}

const TAKE = "take fleet-20261124-134507-cores";
const asks = { cores: 8, snapshotDays: 7 };

describe("a snapshot before a change", () => {
  it("is taken, its notes say what of and whose it is", async () => {
    const { calls, text } = await taken({ ...asks, tags: [], diskGiB: 40 });
    expect(calls).toEqual(["list", TAKE]);
    expect(text.split("\n")).toEqual([
      "before a change by pulumi up: cores, diskGiB",
      "",
      "proxmox-golden-fleet: fleet=c1d2be9a stack=organization/golden/test resource=cloneSets.web vmid=9101 content=0123456789ab-linked",
    ]);
  });

  it("is nobody's business without snapshotBefore, or before a change that costs nothing", async () => {
    expect((await taken({ cores: 8 })).calls).toEqual([]);
    expect((await taken({ snapshotDays: 7, tags: [], name: "db-1" })).calls).toEqual([]);
    expect((await taken({ snapshotDays: 7, places: [{ node: "pve2", sourceVmId: 9000 }] })).calls).toEqual([]);
  });

  it("has a name that PVE takes, however long the option's", () => {
    for (const changes of [["cores"], ["host name"], ["a-very-long-name-of-an-option-that-nobody-has"], []]) {
      const name = snapshotName(changes, NOW);
      expect(name).toMatch(/^[a-z][a-z0-9_-]+$/i);
      expect(name.length).toBeLessThanOrEqual(40);
    }
    expect(snapshotName(["host name"], NOW)).toBe("fleet-20261124-134507-host_name");
  });

  it("lets those of ours go that are over, and nobody else's", async () => {
    const there = [
      ours(),
      ours({ name: "fleet-young", snaptime: asked(6) }),
      ours({ name: "before-upgrade" }),
      ours({ name: "fleet-by-hand", description: "mine" }),
      ours({ name: "fleet-other-stack", of: { fleetId: "0badcafe" } }),
      ours({ name: "fleet-other-vm", of: { vmId: 9102 } }),
      { name: "current", parent: "fleet-young" },
    ];
    expect((await taken(asks, { there })).calls).toEqual(["list", TAKE, "remove fleet-20261101-120000-cores"]);
    expect((await taken({ ...asks, snapshotDays: 30 }, { there })).calls).toEqual(["list", TAKE]);
  });

  it("is not missed because an old one cannot be removed, which is said", async () => {
    const there = [ours(), ours({ name: "fleet-older" })];
    const { calls, said } = await taken(asks, { there, stuck: "fleet-20261101-120000-cores" });
    expect(calls.slice(2)).toEqual(["remove fleet-20261101-120000-cores", "remove fleet-older"]);
    expect(said).toContain(
      "warn: snapshot fleet-20261101-120000-cores of web-1 could not be removed, and stays: VM is locked (backup)",
    );
  });

  it("is taken once for a change that is tried again, and the one that is there stays", async () => {
    const current = { name: "current", parent: "fleet-20261101-120000-cores" };
    const failed = { status: "failed" as const };
    expect((await taken(asks, { state: failed, there: [ours(), current] })).calls).toEqual(["list"]);
    // The same change once more, after it was done: what the guest has written since is not in the old one.
    expect((await taken(asks, { there: [ours({ snaptime: asked(1) }), current] })).calls).toEqual(["list", TAKE]);
    for (const other of [
      ours({ description: "mine" }),
      ours({ snapstate: "prepare" }),
      ours({ of: { fleetId: "0badcafe" } }),
    ])
      expect((await taken(asks, { state: failed, there: [other, current] })).calls).toContain(TAKE);
  });
});

describe("whether there can be a snapshot", () => {
  const check = async (can: boolean, inputs: Partial<CloneInputs>) => {
    let times = 0;
    const canSnapshot = async () => {
      times++;
      return can;
    };
    await checkSnapshot({ canSnapshot } as Partial<SnapshotApi> as SnapshotApi, fakeWork(inputs), fakeState());
    return times;
  };

  it("is asked before a change that is to have one, and before no other", async () => {
    expect(await check(true, asks)).toBe(1);
    expect(await check(true, { cores: 8 })).toBe(0);
    expect(await check(true, { snapshotDays: 7, tags: [] })).toBe(0);
  });

  it("is an error that says why and what to do if not", async () => {
    await expect(check(false, asks)).rejects.toThrow(
      /^cloneSets\.web\.snapshotBefore: update asks for a snapshot before cores changes, and PVE cannot take one of this VM: .* nothing was changed\. Move it to LVM-thin/,
    );
  });
});

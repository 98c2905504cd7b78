import * as pulumi from "@pulumi/pulumi";
import { beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { load, noble, PUBLIC_KEY } from "../config/testing.ts";
import type { CloneInputs, Place } from "../providers/clone/inputs.ts";
import { CloneSet } from "./cloneSet.ts";

const known = { node: "pve2", status: "ready", address: undefined as string | undefined };
/** What the set has asked for: names of the resources, and their inputs. */
const made = new Map<string, CloneInputs>();
const aliases = new Map<string, pulumi.Alias[]>();

vi.mock("../providers/clone/resource.ts", () => ({
  Clone: class {
    node = pulumi.output(known.node);
    status = pulumi.output(known.status);
    address = pulumi.output(known.address);
    addresses = pulumi.output(undefined);
    pendingReboot = pulumi.output(undefined);
    error = pulumi.output(undefined);
    constructor(name: string, args: CloneInputs, opts: { aliases: pulumi.Alias[] }) {
      made.set(name, args);
      aliases.set(name, opts.aliases);
    }
  },
}));

beforeAll(() => {
  pulumi.runtime.setMocks({ newResource: ({ name }) => ({ id: name, state: {} }), call: () => ({}) });
});
beforeEach(() => {
  made.clear();
});

/** The clone set `web` of a stack config, with the replicas of its template. */
function cloneSet(
  set: Record<string, unknown>,
  template: Record<string, unknown> = {},
  there?: ReadonlySet<number>,
  source: { stays?: boolean } = {},
): CloneSet {
  const config = load({
    templates: { noble: { ...noble, ...template } },
    cloneSets: { web: { template: "noble", ...set } },
  });
  expect(config.problems).toEqual([]);
  const sources = Object.values(config.templates ?? {}).map((one) => ({
    node: one.node,
    template: one,
    vmId: one.vmId,
    content: "0123456789ab",
    ...source,
  }));
  const [first, ...more] = sources;
  const { cluster, cloneSets } = config;
  if (!first || !cluster || !cloneSets?.web) throw new Error("no such set");
  const fleet = {
    cluster,
    stack: "o/p/s",
    fleetId: pulumi.output("c1d2be9a"),
    secrets: [],
    templateNames: pulumi.output<Record<string, string>>({}),
  };
  return new CloneSet("web", { fleet, set: cloneSets.web, sources: [first, ...more], ...(there && { there }) });
}
const counted = (count: number, change: Record<string, unknown> = {}) => ({
  count,
  namePattern: "web-{n}",
  firstVmId: 9101,
  ...change,
});
const placesOf = (name: string) => made.get(name)?.places.map(({ node, sourceVmId }: Place) => `${node} ${sourceVmId}`);

describe("a clone set", () => {
  it("names its clones by VMID: a clone is the same one with another name or place in the list", () => {
    cloneSet({
      clones: [
        { name: "a", vmId: 9105 },
        { name: "b", vmId: 9102 },
      ],
    });
    expect([...made.keys()]).toEqual(["vm-9105", "vm-9102"]);
    cloneSet(counted(3));
    expect([...made.keys()].slice(2)).toEqual(["vm-9101", "vm-9103"]);
    // States of earlier versions have the set's key in the name.
    expect(aliases.get("vm-9101")).toEqual([{ name: "web-9101" }]);
  });

  it("says nothing of what is as it is by default: the state has it twice for each clone", () => {
    cloneSet(counted(1));
    expect(Object.keys(made.get("vm-9101") ?? {}).sort()).toEqual([
      ...["fleetId", "full", "hostname", "ipConfigs", "name", "nameservers", "onBoot", "places", "set"],
      ...["stack", "start", "tags", "template", "templateDatastore", "vmId"],
    ]);
  });

  it("has linked clones where the template's disks are, full ones where it says", () => {
    cloneSet(counted(1), { disk: { datastore: "ssd" } });
    expect(made.get("vm-9101")).toMatchObject({ full: false, templateDatastore: "ssd" });
    expect(made.get("vm-9101")).not.toHaveProperty("datastore");
    cloneSet(counted(1, { mode: "full", datastore: "hdd" }), { disk: { datastore: "ssd" } });
    expect(made.get("vm-9101")).toMatchObject({ full: true, templateDatastore: "ssd", datastore: "hdd" });
  });

  it("gives memory with a balloon that is no larger, none with a GPU; the disk only where it grows", () => {
    cloneSet(counted(1, { memoryMiB: 1024, diskGiB: 20 }), { memoryMiB: 4096, disk: { sizeGiB: 20 } });
    expect(made.get("vm-9101")).toMatchObject({ memoryMiB: 1024, balloonMiB: 1024 });
    expect(made.get("vm-9101")).not.toHaveProperty("diskGiB");
    cloneSet(counted(1, { memoryMiB: 8192, diskGiB: 40 }), {
      memoryMiB: 4096,
      balloonMiB: 2048,
      disk: { sizeGiB: 20 },
    });
    expect(made.get("vm-9101")).toMatchObject({ memoryMiB: 8192, balloonMiB: 2048, diskGiB: 40, bootDisk: "scsi0" });
    cloneSet(counted(1, { memoryMiB: 8192 }), { gpus: [{ mapping: "gpu" }] });
    expect(made.get("vm-9101")).toMatchObject({ balloonMiB: 0 });
  });

  it("has the keys of its template's user to rotate, and days to keep snapshots, only where it says so", () => {
    const cloudInit = { user: "ops", sshPublicKeys: [PUBLIC_KEY] };
    cloneSet(counted(1, { mode: "full" }), { cloudInit });
    expect(Object.keys(made.get("vm-9101") ?? {})).not.toEqual(expect.arrayContaining(["rotateKeys", "snapshotDays"]));
    cloneSet(counted(1, { mode: "full", rotateKeys: true, snapshotBefore: "update" }), { cloudInit });
    const rotateKeys = { user: "ops", keys: [PUBLIC_KEY] };
    expect(made.get("vm-9101")).toMatchObject({ rotateKeys, snapshotDays: 7 });
    expect(made.get("vm-9101")?.rotateKeys).toEqual(rotateKeys);
    // A template that the run leaves as it is may be of before these keys.
    cloneSet(counted(1, { rotateKeys: true }), { cloudInit }, undefined, { stays: true });
    expect(made.get("vm-9101")?.rotateKeys).toEqual({ ...rotateKeys, older: true });
  });

  it("tells the configured address until the guest has told its own", async () => {
    const set = cloneSet(counted(1, { ipRange: "10.0.0.21-10.0.0.30/24" }));
    const told = await new Promise((resolve) => set.clones.apply(resolve));
    expect(told).toEqual([{ name: "web-1", vmId: 9101, node: "pve2", status: "ready", address: "10.0.0.21" }]);
    known.address = "10.0.0.99";
    const later = cloneSet(counted(1, { ipRange: "10.0.0.21-10.0.0.30/24" }));
    known.address = undefined;
    expect(await new Promise((resolve) => later.clones.apply(resolve))).toMatchObject([{ address: "10.0.0.99" }]);
  });
});

describe("a set that is kept as it is", () => {
  it("has the clones that are there, at the places that they have among all, and makes no others", () => {
    cloneSet(counted(3, { createClones: "keep" }), { nodes: ["pve1", "pve2"] }, new Set([9102, 9777]));
    expect([...made.keys()]).toEqual(["vm-9102"]);
    expect(made.get("vm-9102")).toMatchObject({ keep: true });
    expect(placesOf("vm-9102")).toEqual(["pve2 9001", "pve1 9000"]);
  });
});

describe("clones that a run leaves out", () => {
  it("are not told of if they were never made: they have no status", async () => {
    Object.assign(known, { status: undefined });
    const set = cloneSet(counted(2));
    Object.assign(known, { status: "ready" });
    expect(await new Promise((resolve) => set.clones.apply(resolve))).toEqual([]);
  });
});

describe("the places of a clone", () => {
  const replicated = { nodes: ["pve1", "pve2"] };

  it("begin with another node for each clone when they are spread, each with the replica there", () => {
    cloneSet(counted(3), replicated);
    expect(placesOf("vm-9101")).toEqual(["pve1 9000", "pve2 9001"]);
    expect(placesOf("vm-9102")).toEqual(["pve2 9001", "pve1 9000"]);
    expect(placesOf("vm-9103")).toEqual(["pve1 9000", "pve2 9001"]);
  });

  it.each(["packed", "memory"])("are in the config's order with %s", (placement) => {
    cloneSet(counted(2, { placement }), replicated);
    for (const name of ["vm-9101", "vm-9102"]) expect(placesOf(name)).toEqual(["pve1 9000", "pve2 9001"]);
    expect(made.get("vm-9102")).toMatchObject({ placement });
  });

  it("are one node where the clone says which", () => {
    cloneSet({ clones: [{ name: "a", vmId: 9101, node: "pve2" }] }, replicated);
    expect(placesOf("vm-9101")).toEqual(["pve2 9001"]);
  });

  it("on a node without a template are made from another node's", () => {
    cloneSet(counted(1, { nodes: ["pve3", "pve2"] }), replicated);
    expect(made.get("vm-9101")?.places).toEqual([
      { node: "pve3", sourceVmId: 9000, sourceNode: "pve1" },
      { node: "pve2", sourceVmId: 9001 },
    ]);
  });
});

import { describe, expect, it } from "vitest";
import type { Fleet } from "../../config/fleet.ts";
import { Part } from "../../fleet/part.ts";
import { EVERYTHING, type Selection } from "../../fleet/selection.ts";
import { CHECKS } from "./checks/index.ts";
import { fakeConfigs, fakeFacts, fakeFleet } from "./fakeFacts.ts";
import { memoryOf } from "./memory.ts";
import { clonesOf, templatesOf } from "./needs.ts";
import { requirementsOf } from "./requirements.ts";
import { runChecks } from "./run.ts";
import { workOf } from "./work.ts";

const image = { url: "http://mirror.example.net/noble.img" };
const clones = (...vmIds: number[]) => vmIds.map((vmId) => ({ name: `vm-${vmId}`, vmId }));
const part = (change: Partial<Selection> = {}) =>
  new Part({ project: "proxmox-golden-fleet", stack: "test" }, { ...EVERYTHING, ...change });
const about = (fleet: Fleet, change: Partial<Selection> = {}) => {
  const work = workOf(fleet, part(change));
  return [
    templatesOf(work).map(({ key }) => key),
    clonesOf(work).map(({ clone }) => clone.vmId),
    clonesOf({ ...work, cloneSets: work.leftOut }).map(({ clone }) => clone.vmId),
  ];
};

describe("the work of a run", () => {
  const fleet = fakeFleet({
    templates: { noble: { vmId: 9000, image }, jammy: { vmId: 9010, image } },
    cloneSets: {
      web: { template: "noble", nodes: ["pve1", "pve2"], clones: clones(9101, 9102, 9103) },
      kept: { template: "noble", createClones: "keep", clones: clones(9201) },
      gone: { template: "jammy", createClones: false, clones: clones(9301, 9302) },
      none: { template: "jammy", clones: [] },
    },
  });

  it("is all of the config but for sets that are kept as they are", () => {
    expect(about(fleet)).toEqual([
      ["noble", "jammy"],
      [9101, 9102, 9103],
      [9301, 9302],
    ]);
  });

  it("is what its options say, deletions too", () => {
    const excludes = ["**::9000-*", "**::vm-9101", "**::vm-9302"];
    expect(about(fleet, { excludes })).toEqual([["jammy"], [9102, 9103], [9301]]);
    expect(about(fleet, { targets: ["**::vm-9102", "**::vm-9201"] })).toEqual([[], [9102], []]);
  });

  it("is all of it where the run is preflight alone", () => {
    const everything = about(fleet);
    expect(about(fleet, { targets: ["**Preflight::preflight"] })).toEqual(everything);
    expect(about(fleet, { excludes: ["**:index:VmTemplate**", "**:index:CloneSet**"] })).toEqual(everything);
    expect(about(fleet, { targets: ["**Preflight::preflight", "**::vm-9999"] })).toEqual([[], [], []]);
    expect(about(fleet, { targets: ["**::vm-9999"] })).toEqual([[], [], []]);
  });

  it("counts a clone on the node that it has in the whole of its set", () => {
    const work = workOf(fleet, part({ targets: ["**::vm-9102"] }));
    expect(clonesOf(work).map(({ node }) => node)).toEqual(["pve2"]);
    expect(clonesOf(work)[0]?.source?.key).toBe("noble");
  });

  it("needs of a template that it leaves as it is nothing but the right to clone it", () => {
    const surroundings = { version: { version: "9.0", release: "9" }, guests: new Map(), zoneOf: () => "localnetwork" };
    const needs = requirementsOf(workOf(fleet, part({ targets: ["**::vm-9102"] })), surroundings);
    const onTemplate = needs.filter(({ path }) => path === "/vms/9000").map(({ privilege }) => privilege);
    expect(onTemplate).toEqual(["VM.Clone"]);
    expect(needs.some(({ path }) => path === "/vms/9010" || path === "/nodes/pve1")).toBe(false);
  });
});

describe("what is wrong with a part of the config", () => {
  /** Nothing of it is there, and what is there is somebody else's. */
  const wrong = {
    vmId: 900,
    image,
    pool: "nowhere",
    disk: { sizeGiB: 20, datastore: "none" },
    nics: [{ bridge: "vmbr9", mac: "BC:24:11:00:00:01" }],
    gpus: [{ mapping: "none" }],
    uefi: { enabled: true },
  };
  const fleet = fakeFleet({
    templates: { noble: { vmId: 9000, image }, broken: wrong },
    cloneSets: {
      web: { template: "noble", clones: clones(9101) },
      bad: {
        template: "broken",
        pool: "nowhere",
        mode: "full",
        datastore: "none",
        clones: [{ name: "bad-1", vmId: 100, node: "pve8", ip: "10.0.0.9/24" }],
      },
    },
  });
  const AUDIT = ["Pool.Audit", "SDN.Audit", "SDN.Use", "Mapping.Audit", "Mapping.Use", "VM.Audit", "Datastore.Audit"];
  const findings = async (change: Partial<Selection>) => {
    const net0 = "virtio=BC:24:11:00:00:01,bridge=vmbr9";
    const facts = fakeFacts({
      whole: fleet,
      fleet: workOf(fleet, part(change)),
      part: part(change),
      permissions: async () => ({ "/": Object.fromEntries(AUDIT.map((one) => [one, 1])) }),
      guests: async () =>
        [100, 900, 901].map((vmid) => ({ vmid, node: "pve1", type: "qemu" as const, status: "running" })),
      guestConfig: fakeConfigs({ 100: {}, 900: {}, 901: { net0, ipconfig0: "ip=10.0.0.9/24" } }),
    });
    const results = await runChecks(CHECKS, facts);
    return results.flatMap(({ id, findings: all }) =>
      all.filter(({ status }) => status === "fail").map(({ path, message }) => ({ id, path: path ?? "", message })),
    );
  };
  const ofTheOthers = /broken|bad|nowhere|none|pve8|\b(100|900|901)\b|BC:24/;

  it("is found by many checks", async () => {
    const found = (await findings({})).filter(({ path, message }) => ofTheOthers.test(`${path} ${message}`));
    expect([...new Set(found.map(({ id }) => id))]).toEqual(
      expect.arrayContaining([
        "node-exists",
        "privileges",
        "datastore-exists",
        "bridge-exists",
        "pool-exists",
        "device-mapping",
        "vmid-free",
        "address-free",
        "mac-free",
      ]),
    );
  });

  it.each<[string, Partial<Selection>]>([
    ["--exclude", { excludes: ["**::900-*", "**::vm-100"] }],
    ["--target", { targets: ["**Preflight::preflight", "**::9000-*", "**::vm-9101"] }],
  ])("is found by none in a run that leaves it out: %s", async (_, change) => {
    const found = (await findings(change)).map(({ id, path, message }) => `${id} ${path} ${message}`);
    expect(found.filter((text) => ofTheOthers.test(text))).toEqual([]);
  });
});

describe("what preflight remembers", () => {
  const fleet = fakeFleet({
    templates: { noble: { vmId: 9000, image }, jammy: { vmId: 9010, image } },
    cloneSets: {
      web: { template: "noble", clones: clones(9102, 9101) },
      kept: { template: "jammy", createClones: "keep", clones: clones(9201, 9202) },
    },
  });
  const memory = (olds: Parameters<typeof memoryOf>[0], change: Partial<Selection> = {}) =>
    memoryOf(olds, { whole: fleet, work: workOf(fleet, part(change)), part: part(change) });

  it("is all of the config; of what is kept only what it knew", () => {
    expect(memory({})).toEqual({
      vmIds: [9000, 9010, 9101, 9102],
      sets: {
        web: { vmIds: [9102, 9101], templates: [9000] },
        kept: { vmIds: [9201, 9202], templates: [9010] },
      },
    });
    // 9777 has left the config, and the run deletes it.
    expect(memory({ vmIds: [9201, 9777] }).vmIds).toEqual([9000, 9010, 9101, 9102, 9201]);
  });

  it("is, after a run of a part, that part and what was remembered of the rest", () => {
    const olds = {
      vmIds: [9000, 9777],
      sets: { old: { vmIds: [9101, 9777], templates: [9000] }, web: { vmIds: [9102], templates: [9001] } },
    };
    expect(memory(olds, { targets: ["**::vm-9101"] })).toEqual({
      vmIds: [9000, 9101, 9777],
      sets: {
        old: { vmIds: [9777], templates: [9000] },
        web: { vmIds: [9101, 9102], templates: [9000, 9001] },
      },
    });
  });
});

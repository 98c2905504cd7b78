import { describe, expect, it } from "vitest";
import { ownerOf, parseMark } from "../../../fleet/ownership.ts";
import type { Params } from "../../../proxmox/client.ts";
import { ApiError, ConnectionError, TaskError } from "../../../proxmox/errors.ts";
import { inTurn } from "../../../proxmox/fakeClient.ts";
import type { GuestConfig } from "../../../proxmox/guests.ts";
import type { FoundContainer, FoundVm } from "../../guest/lookUp.ts";
import { unmade } from "../converge.ts";
import { fakeClone, fakeMade, fakeWork, UUID } from "../fakeClone.ts";
import type { CloneInputs } from "../inputs.ts";
import { markOf, notesOf } from "../mark.ts";
import { options } from "../options.ts";
import { type CloneApi, cloneOrTakeUp } from "./cloneOrTakeUp.ts";

const PLACE = { node: "pve1", sourceVmId: 9000 };
const OURS = notesOf(undefined, markOf(fakeClone(), fakeMade()));
const upid = (n: number) => `UPID:pve1:${n}:2:3:qmclone:9000:a@pve:`;
const dropped = new ConnectionError("dropped", "the connection broke off");
const taken = new ApiError("POST", 500, "unable to create VM 9101: config file already exists");
const locked = new TaskError(upid(0), "clone failed: can't lock file - got timeout", []);

const vm = (config: GuestConfig, node = "pve1"): FoundVm => ({
  kind: "vm",
  node,
  config,
  owner: ownerOf(config.description, 9101, "c1d2be9a"),
  mark: parseMark(config.description, 9101),
  busy: undefined,
});

interface Answers {
  clone?: (Error | undefined)[];
  wait?: (Error | undefined)[];
  /** What stands on the VMID when a request did not go well. */
  atRest?: (FoundVm | FoundContainer | undefined)[];
}

function cloning(
  { clone = [undefined], wait = [undefined], atRest = [undefined] }: Answers,
  inputs: Partial<CloneInputs> = {},
) {
  const asked: { node: string; source: number; options: Params }[] = [];
  const begun: string[][] = [];
  const [clones, waits, stands] = [inTurn(...clone), inTurn(...wait), inTurn(...atRest)];
  const api: CloneApi = {
    pauseMs: 1,
    clone: async (node, source, options) => {
      asked.push({ node, source, options });
      const error = clones();
      if (error) throw error;
      return upid(asked.length);
    },
    wait: async (_upid, { onLog }) => {
      onLog?.("transferred 1.0 GiB of 8.0 GiB (12.50%)");
      const error = waits();
      if (error) throw error;
    },
    atRest: async (_node, tasks) => {
      begun.push([...tasks]);
      return stands();
    },
  };
  const before = unmade(fakeClone(inputs));
  const work = fakeWork(inputs, { state: { ...before } });
  return { work, before, asked, begun, run: (place = PLACE) => cloneOrTakeUp(api, work, place) };
}

describe("a clone is made", () => {
  it("with its name, its mark and its pool; the state has what it is, and what PVE has taken", async () => {
    const { work, asked, run } = cloning({}, { pool: "web", description: "the first" });
    await run();
    const description = notesOf("the first", markOf(fakeClone(), fakeMade()));
    expect(asked).toEqual([
      { node: "pve1", source: 9000, options: { newid: 9101, name: "web-1", description, full: false, pool: "web" } },
    ]);
    const { stack, fleetId, vmId, set, places } = fakeClone();
    expect(work.state).toEqual({
      spec: { stack, fleetId, vmId, set, places, pool: "web" },
      made: { template: "0123456789ab", full: false, datastore: "local-lvm" },
      node: "pve1",
      status: "failed",
    });
    expect(work).toMatchObject({ isNew: true, freshUuid: expect.stringMatching(/^[0-9a-f-]{36}$/) });
  });

  it("in full on its datastore, or on the template's, and shows how far it is", async () => {
    const own = cloning({}, { full: true, datastore: "hdd" });
    await own.run();
    expect(own.asked[0]?.options).toMatchObject({ full: true, storage: "hdd" });
    expect(own.work.state.made).toMatchObject({ full: true, datastore: "hdd" });
    expect(own.work.messages.said).toContain("progress: cloning VM 9000 to 9101: 12%");
    const templates = cloning({}, { full: true });
    await templates.run();
    expect(templates.asked[0]?.options).toMatchObject({ storage: "local-lvm" });
  });

  it("linked where its template is, whatever datastore the set names", async () => {
    const { work, asked, run } = cloning({}, { datastore: "hdd" });
    await run();
    expect(asked[0]?.options).not.toHaveProperty("storage");
    expect(work.state.made).toMatchObject({ datastore: "local-lvm" });
  });

  it("by the node that has the template, for the one that it is to be on", async () => {
    const { work, asked, run } = cloning({});
    await run({ node: "pve2", sourceVmId: 9000, sourceNode: "pve1" } as typeof PLACE);
    expect(asked[0]).toMatchObject({ node: "pve1", options: { target: "pve2" } });
    expect(work.state.node).toBe("pve2");
  });

  it("again when PVE was busy and nothing has come of it", async () => {
    const { work, asked, begun, run } = cloning({ wait: [locked, undefined] });
    await run();
    expect(asked).toHaveLength(2);
    expect(begun).toEqual([[upid(1)]]);
    expect(work.isNew).toBe(true);
    expect(work.messages.said).toContainEqual(expect.stringMatching(/clone failed \(.*got timeout\); try 2 of 4/));
  });

  it("also where the state knows values of an earlier try, of which the new VM has none", async () => {
    const { work, run } = cloning({});
    // A refresh had found a VM of ours there, which is gone.
    work.state.spec = { ...work.state.spec, name: "web-1", hostname: "web-1.example.net", ipConfigs: ["ip=dhcp"] };
    await run();
    for (const key of ["name", "hostname", "ipConfigs"]) expect(work.state.spec).not.toHaveProperty(key);
  });
});

describe("what stands on the VMID already is taken up", () => {
  it("as our own request has made it whose answer got lost; its guest was never started", async () => {
    const config = { name: "web-1", description: OURS, smbios1: `uuid=${UUID}` };
    const { work, asked, run } = cloning({ clone: [dropped], atRest: [vm(config)] });
    await run();
    expect(asked).toHaveLength(1);
    expect(work).toMatchObject({ isNew: false, freshUuid: UUID, config });
    expect(work.state).toMatchObject({
      node: "pve1",
      made: { template: "0123456789ab", full: false, datastore: "local-lvm", uuid: UUID },
    });
  });

  it("as a killed run has left it, with what it was made from then, and wherever it is now", async () => {
    const set = fakeClone();
    const inputs = { config: { smbios1: `uuid=${UUID}` }, made: fakeMade(), spec: {} };
    const configured = options(set, inputs);
    const description = notesOf(undefined, markOf(set, { template: "aaaaaaaaaaaa", full: true }));
    const config = { description, smbios1: configured.smbios1, scsi0: "ceph:vm-9101-disk-0" };
    const { work, run } = cloning({ clone: [taken], atRest: [vm(config, "pve3")] });
    await run();
    expect(work.state).toMatchObject({
      node: "pve3",
      made: { template: "aaaaaaaaaaaa", full: true, datastore: "ceph", uuid: UUID, instanceId: UUID },
    });
    // It was configured, so its guest may have been started with what it has.
    expect(work.freshUuid).toBeUndefined();
    // What was brought to it is not known: all of it is brought again.
    expect(work.state.spec).not.toHaveProperty("name");
  });

  it("when it is another clone of this stack's, of whichever set: its set has another name today", async () => {
    const { work, run } = cloning({
      clone: [taken],
      atRest: [vm({ description: OURS.replace("cloneSets.web", "cloneSets.app") })],
    });
    await run();
    expect(work.state.made).toBeDefined();
  });

  it("when the config says so of a VM that is not ours; what it was made from is then said by the config", async () => {
    const { work, run } = cloning(
      { clone: [taken], atRest: [vm({ name: "mail", smbios1: `uuid=${UUID}` })] },
      { adopt: true },
    );
    await run();
    expect(work.state.made).toMatchObject({ template: "0123456789ab", full: false });
    expect(work.state.made).not.toHaveProperty("instanceId");
    expect(work.freshUuid).toBeUndefined();
  });

  it("as the config says, whatever mark a VM has that is not ours: the next run would make it anew otherwise", async () => {
    const copied = OURS.replace("vmid=9101 content=0123456789ab-linked", "vmid=9102 content=aaaaaaaaaaaa-full");
    for (const description of [copied, copied.replace("fleet=c1d2be9a", "fleet=00000000").replace("9102", "9101")]) {
      const { work, run } = cloning({ clone: [taken], atRest: [vm({ description })] }, { adopt: true });
      await run();
      expect(work.state.made).toMatchObject({ template: "0123456789ab", full: false });
    }
  });
});

describe("a clone is not made, and the state says nothing of it,", () => {
  it.each<[string, Answers, Partial<CloneInputs>, RegExp]>([
    [
      "when a stranger's VM has the VMID",
      { clone: [taken], atRest: [vm({ name: "mail" })] },
      {},
      /VMID 9101 is taken by VM "mail" on node pve1, which this stack did not make; .*or set `adopt: true`/,
    ],
    [
      "when a container has it, which nobody can adopt",
      { clone: [taken], atRest: [{ kind: "container", node: "pve1", name: "mail" }] },
      { adopt: true },
      /VMID 9101 is taken by container "mail" on node pve1; it is left alone. Choose another vmId$/,
    ],
    ["when PVE refuses", { clone: [new ApiError("POST", 403, "Permission check failed")] }, {}, /Permission check/],
    ["when its task fails", { wait: [new TaskError(upid(1), "clone failed: no space left", [])] }, {}, /no space left/],
    ["when PVE stays busy", { wait: [locked] }, {}, /got timeout/],
    ["when PVE says that the VMID is taken and shows nothing there", { clone: [taken] }, {}, /already exists/],
  ])("%s", async (_when, answers, inputs, text) => {
    const { work, before, run } = cloning(answers, inputs);
    await expect(run()).rejects.toThrow(text);
    expect(work.state).toEqual(before);
  });
});

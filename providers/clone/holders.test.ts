import { describe, expect, it } from "vitest";
import { ApiError } from "../../proxmox/errors.ts";
import { fakeClient } from "../../proxmox/fakeClient.ts";
import type { GuestConfig } from "../../proxmox/guests.ts";
import { Holders, heldFor, leftBy, slotsOfHolder } from "./holders.ts";

const OF = { stack: "organization/golden/test", fleetId: "c1d2be9a", vmId: 9101, name: "web-1" };
const mark = (fleet: string, vmId = 105, content = "scsi0,scsi1") =>
  `proxmox-golden-fleet: fleet=${fleet} stack=s resource=disksOf.9101 vmid=${vmId} content=${content}`;
const ours = (more: GuestConfig = {}): GuestConfig => ({ description: mark("c1d2be9a"), digest: "d1", ...more });
const VOLUME = "local-lvm:vm-105-disk-0,size=8G";

interface Vm {
  node: string;
  name: string;
  config: GuestConfig;
}

/** A cluster with some VMs; nodes that are `silent` do not answer. */
function cluster(vms: Record<number, Vm> = {}, { silent = "" } = {}) {
  const missing = new ApiError("GET", 500, "Configuration file 'x' does not exist");
  const refusals: (Error | undefined)[] = [];
  const { client, asked } = fakeClient((call, params) => {
    const [, , node = "", , vmid] = call.split(" ")[1]?.split("/").slice(0) ?? [];
    const entries = Object.entries(vms).map(([id, vm]) => ({ vmid: Number(id), type: "qemu", ...vm }));
    if (silent !== "" && node === silent) return new ApiError("GET", 595, "No route to host");
    if (call.startsWith("GET /cluster/resources")) return entries.filter((vm) => vm.node !== silent);
    if (call.startsWith("GET /cluster/nextid"))
      return params.vmid === undefined ? "105" : vms[Number(params.vmid)] ? new ApiError("GET", 400, "taken") : "";
    if (call.endsWith("/qemu") && call.startsWith("GET")) return entries.filter((vm) => vm.node === node);
    if (call.includes("/tasks")) return call.endsWith("/status") ? { status: "stopped", exitstatus: "OK" } : [];
    if (call.endsWith("/config") && call.startsWith("GET")) return vms[Number(vmid)]?.config ?? missing;
    if (call.startsWith("DELETE")) delete vms[Number(vmid)];
    if (!call.endsWith("/qemu")) return call.startsWith("PUT") ? null : "UPID:pve1:1:2:3:qmdestroy:105:a@pve:";
    const refused = refusals.shift();
    if (refused) return refused;
    const { vmid: id, name, ...config } = params as GuestConfig & { vmid: number; name: string };
    vms[id] = { node, name, config };
    return `UPID:${node}:1:2:3:qmcreate:${id}:a@pve:`;
  });
  const changes = () => asked.filter((call) => !call.startsWith("GET"));
  return { holders: new Holders(client), vms, asked, changes, refusals };
}

const none = () => false;
const fails = (node: string) => {
  throw new Error(`${node} is silent`);
};

describe("a holder of a clone's disks", () => {
  it("is known by its mark: fleet, clone and its own VMID", () => {
    expect(heldFor(ours(), 105, "c1d2be9a")).toBe(9101);
    expect(heldFor({ description: mark("another") }, 105, "c1d2be9a")).toBeUndefined();
    expect(heldFor({ description: mark("c1d2be9a", 106) }, 105, "c1d2be9a")).toBeUndefined();
    expect(heldFor({}, 105, "c1d2be9a")).toBeUndefined();
    expect(slotsOfHolder({ node: "pve1", vmId: 105, config: ours() })).toEqual(["scsi0", "scsi1"]);
  });

  it("is made protected, marked and with a name, and found again without asking who else is there", async () => {
    const { holders, changes, asked } = cluster();
    const { vmId, config } = await holders.make({ ...OF, pool: "web" }, "pve1", ["scsi0"], none);
    expect(vmId).toBe(105);
    expect(heldFor(config, 105, "c1d2be9a")).toBe(9101);
    expect(changes()).toHaveLength(1);
    expect(changes()[0]).toMatch(
      /^POST \/nodes\/pve1\/qemu \{"vmid":105,"name":"disks-of-9101","description":"Disks of web-1 \(VM 9101\), .*content=scsi0","tags":"fleet-[^"]*","protection":true,"pool":"web"\}$/,
    );
    const before = asked.length;
    expect(await holders.find(OF, ["pve1"], fails)).toMatchObject({ vmId: 105 });
    expect(asked.slice(before)).toEqual(["GET /nodes/pve1/qemu/105/config"]);
  });

  it("gets a VMID that neither the config means for something else nor somebody has", async () => {
    const { holders } = cluster({ 107: { node: "pve1", name: "x", config: {} } });
    expect((await holders.make(OF, "pve1", [], (vmId) => vmId < 107)).vmId).toBe(108);
  });

  it("gets another one when somebody was faster; any other refusal is told", async () => {
    const one = cluster();
    one.refusals.push(new ApiError("POST", 500, "unable to create VM 105 - VM 105 already exists on node 'pve1'"));
    expect((await one.holders.make(OF, "pve1", [], none)).vmId).toBe(105);
    expect(one.changes()).toHaveLength(2);
    const other = cluster();
    other.refusals.push(new ApiError("POST", 403, "Permission check failed"));
    await expect(other.holders.make(OF, "pve1", [], none)).rejects.toThrow("Permission check failed");
  });

  it("that an earlier run has left is found by its name on any node; one of another fleet is not", async () => {
    const name = "disks-of-9101";
    const foreign = { node: "pve1", name, config: { description: mark("another") } };
    const { holders, asked } = cluster({
      105: { node: "pve2", name, config: ours({ scsi0: VOLUME }) },
      104: foreign,
      103: { node: "pve1", name: "web-7", config: ours() },
    });
    expect(await holders.find(OF, ["pve1"], fails)).toMatchObject({ node: "pve2", vmId: 105 });
    expect(await holders.find({ ...OF, vmId: 9102 }, ["pve1"], fails)).toBeUndefined();
    // All clones of a run share the lists.
    expect(asked.filter((call) => call === "GET /nodes/pve1/qemu")).toHaveLength(1);
    expect(asked.filter((call) => call.startsWith("GET /cluster/resources"))).toHaveLength(1);
  });

  it("may be on a node that does not answer: whoever asks is told", async () => {
    const { holders } = cluster({}, { silent: "pve2" });
    await expect(holders.find(OF, ["pve1", "pve2"], fails)).rejects.toThrow("pve2 is silent");
    expect(await holders.find(OF, ["pve1", "pve2"], () => undefined)).toBeUndefined();
  });

  it("is deleted when it is empty, if it is as it was looked at", async () => {
    const { holders, changes } = cluster({ 105: { node: "pve1", name: "x", config: ours() } });
    expect(await holders.release(OF, { node: "pve1", vmId: 105, config: {} })).toBeUndefined();
    expect(changes()).toEqual([
      'PUT /nodes/pve1/qemu/105/config {"protection":false,"digest":"d1"}',
      'DELETE /nodes/pve1/qemu/105 {"purge":true,"destroy-unreferenced-disks":false}',
    ]);
  });

  it.each([
    ["a disk", ours({ scsi0: VOLUME }), "scsi0 (local-lvm:vm-105-disk-0)"],
    ["an unused disk", ours({ unused0: "local-lvm:vm-105-disk-0" }), "unused0 (local-lvm:vm-105-disk-0)"],
    ["another mark", { description: mark("another") }, undefined],
  ])("is not deleted with %s", async (_what, config, held) => {
    const { holders, changes } = cluster({ 105: { node: "pve1", name: "x", config } });
    expect(await holders.release(OF, { node: "pve1", vmId: 105, config: {} })).toBe(held);
    expect(changes()).toEqual([]);
  });

  it("notes which disks it is to have, when these are others than before", async () => {
    const { holders, changes } = cluster();
    const holder = { node: "pve1", vmId: 105, config: ours() };
    await holders.expect(OF, holder, ["scsi0", "scsi1"]);
    await holders.expect({ ...OF, stack: "s" }, holder, ["scsi0"]);
    expect(changes().at(-1)).toContain(`"description":"${mark("c1d2be9a", 105, "scsi0")}"`);
  });
});

it("of a clone that is gone for good is no other clone's of the same VMID", async () => {
  const vms: Record<string, GuestConfig> = {};
  const { client } = fakeClient((call, params) => {
    const [, , , , id = ""] = call.split("/");
    if (call === "GET /nodes/pve1/qemu")
      return Object.keys(vms).map((vmid) => ({ vmid: Number(vmid), name: "disks-of-9101" }));
    if (call.startsWith("GET /cluster/resources")) return [];
    if (call.startsWith("PUT")) {
      Object.assign(vms[id] ?? {}, params);
      return null;
    }
    return vms[id] ?? new ApiError("GET", 500, "Configuration file 'x' does not exist");
  });
  const mark = "proxmox-golden-fleet: fleet=c1d2be9a stack=s resource=disksOf.9101 vmid=105 content=scsi0";
  vms[105] = { description: mark, scsi0: "local-lvm:vm-105-disk-0,size=8G" };
  const holders = new Holders(client);
  const of = { stack: "s", fleetId: "c1d2be9a", vmId: 9101 };
  const holder = await holders.find(of, ["pve1"], () => undefined);
  expect(holder?.vmId).toBe(105);
  if (holder) await holders.leave(of, holder);
  expect(await new Holders(client).find(of, ["pve1"], () => undefined)).toBeUndefined();
  expect(leftBy(vms[105] ?? {}, 105, "c1d2be9a")).toBe(9101);
});

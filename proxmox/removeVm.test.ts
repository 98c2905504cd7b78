import { describe, expect, it } from "vitest";
import { ApiError } from "./errors.ts";
import { fakeClient, inTurn } from "./fakeClient.ts";
import { removeVm } from "./removeVm.ts";

const VM = { node: "pve1", vmId: 9101 };
const UPID = "UPID:pve1:1:2:3:qmdestroy:9101:a@pve:";
const missing = new ApiError("DELETE", 500, "Configuration file 'nodes/pve1/qemu-server/9101.conf' does not exist");
const noWorker = new ApiError("DELETE", 500, "got no worker upid - start worker failed");

/** @param deletes what each DELETE is answered @param there whether the VM is on the node when that is asked */
function pve(deletes: unknown[], { there = false, task = "OK" } = {}) {
  const next = inTurn(...deletes);
  return fakeClient((call) => {
    if (call.startsWith("DELETE")) return next();
    if (call.endsWith("/config")) return there ? { name: "web-1" } : missing;
    if (call.endsWith("/log") || call.endsWith("/tasks")) return [];
    return { status: "stopped", exitstatus: task };
  });
}
const deletesIn = (asked: string[]) => asked.filter((call) => call.startsWith("DELETE"));

describe("a VM is deleted", () => {
  it("with its traces in backup jobs, replication and HA; volumes that its config does not name stay", async () => {
    const { client, asked } = pve([UPID]);
    expect(await removeVm(client, VM)).toBe(true);
    expect(asked[0]).toBe('DELETE /nodes/pve1/qemu/9101 {"purge":true,"destroy-unreferenced-disks":false}');
  });

  it("with those, where that is asked for", async () => {
    const { client, asked } = pve([UPID]);
    await removeVm(client, VM, { unreferencedDisks: true });
    expect(asked[0]).toContain('"destroy-unreferenced-disks":true');
  });

  it("again when pvedaemon had no worker and it is still there", async () => {
    const { client, asked } = pve([noWorker, UPID], { there: true });
    expect(await removeVm(client, VM)).toBe(true);
    expect(deletesIn(asked)).toHaveLength(2);
  });
});

it("a volume that PVE could not delete is told: nothing else knows of it any more", async () => {
  const line = "WARN: Could not remove disk 'local-lvm:vm-9101-disk-0', check manually: can't lock file - got timeout";
  const { client } = fakeClient((call) => {
    if (call.startsWith("DELETE")) return UPID;
    if (call.endsWith("/log")) return [{ n: 1, t: line }];
    return call.endsWith("/tasks") ? [] : { status: "stopped", exitstatus: "WARNINGS: 1" };
  });
  const told: string[] = [];
  expect(await removeVm(client, VM, { onWarning: (one) => told.push(one) })).toBe(true);
  expect(told).toEqual([line]);
});

describe("a VM that is not on the node", () => {
  it.each([
    ["when PVE is asked", [missing], "OK", 1],
    ["when the task begins", [UPID], "Configuration file 'nodes/pve1/qemu-server/9101.conf' does not exist", 1],
    ["when it is looked at after an answer that got lost", [noWorker], "OK", 1],
  ])("%s is not said to be deleted: it may have moved", async (_when, deletes, task, count) => {
    const { client, asked } = pve(deletes, { task });
    expect(await removeVm(client, VM)).toBe(false);
    expect(deletesIn(asked)).toHaveLength(count);
  });

  it("is not meant by any other refusal", async () => {
    const { client } = pve([new ApiError("DELETE", 500, "can't remove VM 9101 - protection mode enabled")]);
    await expect(removeVm(client, VM)).rejects.toThrow("protection mode enabled");
  });
});

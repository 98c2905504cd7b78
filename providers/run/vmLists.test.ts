import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { ApiError } from "../../proxmox/errors.ts";
import { fakeClient } from "../../proxmox/fakeClient.ts";
import { VmLists } from "./vmLists.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const VMS = [
  { vmid: 9101, status: "running", pool: "web" },
  { vmid: 9102, status: "stopped" },
];

it("a node's list is asked for once by all who look at about the same time, and again later", async () => {
  const { client, asked } = fakeClient(() => VMS);
  const lists = new VmLists(client, { freshMs: 1000 });
  const look = () => Promise.all([9101, 9102, 9103].map((vmId) => lists.statusOf("pve1", vmId)));
  expect(await look()).toEqual(["running", "stopped", undefined]);
  await look();
  expect(asked).toEqual(["GET /nodes/pve1/qemu"]);
  await lists.statusOf("pve2", 9101);
  expect(asked).toEqual(["GET /nodes/pve1/qemu", "GET /nodes/pve2/qemu"]);
  await vi.advanceTimersByTimeAsync(1000);
  await look();
  expect(asked).toHaveLength(3);
});

it("the pools of all VMs are one request", async () => {
  const { client, asked } = fakeClient(() => VMS);
  const lists = new VmLists(client);
  expect(await Promise.all([lists.poolOf(9101), lists.poolOf(9102)])).toEqual(["web", undefined]);
  expect(asked).toEqual(['GET /cluster/resources {"type":"vm"}']);
});

it("a list that was not to be had is asked for again", async () => {
  const answers: unknown[] = [new ApiError("GET", 403, "Permission check failed"), VMS];
  const lists = new VmLists(fakeClient(() => answers.shift()).client);
  await expect(lists.statusOf("pve1", 9101)).rejects.toThrow("Permission check failed");
  expect(await lists.statusOf("pve1", 9101)).toBe("running");
});

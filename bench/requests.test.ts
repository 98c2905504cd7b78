import { expect, test } from "vitest";
import { cloneRequests, kindOf, requestsPerClone } from "./requests.ts";

const get = (path: string) => ({ method: "GET", path });
const post = (path: string) => ({ method: "POST", path });
const clone = post("/nodes/pve1/qemu/9000/clone");
const poll = (type: string, id: number) =>
  get(`/nodes/pve1/tasks/UPID:pve1:0000A1:0002B2:67000000:${type}:${id}:root@pam!lab:/status`);

test("what names a clone counts, and so does the task that makes it", () => {
  const volume = (name: string) => get(`/nodes/pve1/storage/local-lvm/content/local-lvm:${name}`);
  const config = (vmId: number) => get(`/nodes/pve1/qemu/${vmId}/config`);
  const ofClones = [clone, poll("qmclone", 9000), poll("qmstart", 10_001), config(10_001), volume("vm-10001-disk-0")];
  const ofTemplate = [poll("qmcreate", 9000), config(9000), volume("base-9000-disk-0"), post("/nodes/pve1/qemu")];
  expect(requestsPerClone([...ofClones, ...ofTemplate], 5)).toBe(1);
});

test("a list of the cluster counts if it is asked for each clone, not if once for all", () => {
  const lists = (times: number) => Array.from({ length: times }, () => get("/cluster/resources"));
  expect(requestsPerClone([...lists(9), clone], 10)).toBe(0.1);
  expect(requestsPerClone([...lists(10), clone], 10)).toBe(1.1);
});

test("kinds carry no ids", () => {
  expect(kindOf(poll("qmstart", 10_001))).toBe("GET /nodes/…/tasks/… (qmstart)/status");
  expect([...cloneRequests([clone, clone], 2)]).toEqual([["POST /nodes/…/qemu/…/clone", 2]]);
});

import { expect, it } from "vitest";
import { ApiError } from "./errors.ts";
import { fakeClient, inTurn } from "./fakeClient.ts";
import { reassignDisk } from "./reassignDisk.ts";

const OK = { status: "stopped", exitstatus: "OK" };
const GONE = { status: "stopped", exitstatus: "Disk 'scsi1' for VM '9101' does not exist" };
const UPID = "UPID:pve1:1:2:3:qmmove:9101-scsi1>105-scsi0:a@pve:";
const MOVE = 'POST /nodes/pve1/qemu/9101/move_disk {"disk":"scsi1","target-vmid":105,"target-disk":"scsi0"}';
const lost = new ApiError("POST", 596, "Broken pipe");

/** @param answers to the requests, each with whether the disk is with the other VM from then on */
async function reassigning(...answers: { answer: unknown; moves: boolean; task?: object }[]) {
  let moved = false;
  let task: object = OK;
  const next = inTurn(...answers);
  const { client, asked } = fakeClient((call) => {
    if (call.endsWith("/9101/config")) return moved ? {} : { scsi1: "local-lvm:vm-9101-disk-1" };
    if (call.endsWith("/105/config")) return moved ? { scsi0: "local-lvm:vm-105-disk-0" } : {};
    if (call.endsWith("/log")) return [];
    if (!call.startsWith("POST")) return task;
    const { answer, moves, task: ends = OK } = next();
    moved ||= moves;
    task = ends;
    return answer;
  });
  const vm = { node: "pve1", vmId: 9101 };
  const error = await reassignDisk(client, vm, { drive: "scsi1", toVmId: 105, toDrive: "scsi0" }).catch(
    (one: Error) => one,
  );
  return { error, posts: asked.filter((call) => call.startsWith("POST")) };
}

it("a disk is given to another VM by one request", async () => {
  expect(await reassigning({ answer: UPID, moves: true })).toEqual({ error: undefined, posts: [MOVE] });
});

it("it is not given away twice when the answer gets lost", async () => {
  expect(await reassigning({ answer: lost, moves: true })).toEqual({ error: undefined, posts: [MOVE] });
});

it("a second task that comes too late, as the lost one has done it meanwhile, is no failure", async () => {
  const first = { answer: lost, moves: false };
  expect(await reassigning(first, { answer: UPID, moves: true, task: GONE })).toEqual({
    error: undefined,
    posts: [MOVE, MOVE],
  });
});

it("a refusal is told as it is, and not repeated", async () => {
  const refused = new ApiError("POST", 500, "Can't move disk used by a snapshot to another VM");
  expect(await reassigning({ answer: refused, moves: false })).toEqual({ error: refused, posts: [MOVE] });
  const { error, posts } = await reassigning(
    { answer: lost, moves: false },
    { answer: UPID, moves: false, task: GONE },
  );
  expect(String(error)).toContain("does not exist");
  expect(posts).toHaveLength(2);
});

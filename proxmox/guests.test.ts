import { describe, expect, it } from "vitest";
import { ApiError, TaskError } from "./errors.ts";
import { fakeClient } from "./fakeClient.ts";
import { isMissing, isUnknownNode, isUnreachable, readConfig } from "./guests.ts";

const missing = (node: string, vmId: number) =>
  new ApiError("GET", 500, `Configuration file 'nodes/${node}/qemu-server/${vmId}.conf' does not exist\n`);
const unknownNode = new ApiError(
  "GET",
  500,
  "hostname lookup 'nosuch' failed - failed to get address info for: nosuch: Name or service not known",
);
const down = new ApiError("GET", 595, "No route to host");

describe("a missing VM", () => {
  it("is known by PVE's words for it, from a request or a task", () => {
    const upid = "UPID:pve:1:2:3:qmstart:9101:root@pam:";
    expect(isMissing(missing("pve", 555))).toBe(true);
    expect(isMissing(new ApiError("POST", 500, "unable to find configuration file for VM 777 on node 'pve'"))).toBe(
      true,
    );
    expect(isMissing(new TaskError(upid, "Configuration file 'nodes/pve/qemu-server/9101.conf' does not exist", []))) //
      .toBe(true);
  });

  it.each([
    "storage 'nosuch' does not exist",
    "disk 'scsi9' does not exist",
    "volume 'local:snippets/ci.yaml' does not exist",
    unknownNode.answer,
  ])("is not meant by: %s", (text) => {
    expect(isMissing(new ApiError("DELETE", 500, text))).toBe(false);
  });
});

it("a node that does not answer is not one that the cluster does not have", () => {
  expect([isUnreachable(down), isUnknownNode(down)]).toEqual([true, false]);
  expect([isUnreachable(unknownNode), isUnknownNode(unknownNode)]).toEqual([false, true]);
});

describe("a VM's config", () => {
  it("is undefined where there is no such VM; any other answer is an error", async () => {
    const config = (answer: unknown) => readConfig(fakeClient(() => answer).client, "pve1", 9101);
    expect(await config({ name: "web-1" })).toEqual({ name: "web-1" });
    expect(await config(missing("pve1", 9101))).toBeUndefined();
    await expect(config(unknownNode)).rejects.toThrow("hostname lookup");
  });
});

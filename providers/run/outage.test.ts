import { describe, expect, it } from "vitest";
import { ApiError, ConnectionError, TaskError } from "../../proxmox/errors.ts";
import { failure } from "../failure.ts";
import { isOutage } from "./outage.ts";

const where = { stage: "clone", node: "pve1", vmId: 9101 };

describe("the cluster's trouble, not one VM's", () => {
  it.each<[string, Error]>([
    ["the API is gone", new ConnectionError("refused", "pve1:8006 refused the connection")],
    ["the login is not taken any more", new ApiError("PUT /x", 401, "token expired")],
    ["no quorum, as an answer", new ApiError("POST /x", 500, "cluster not ready - no quorum?")],
    [
      "no quorum, in a task",
      new TaskError("UPID:pve1:1:2:3:qmclone:9000:a@pve:", "cfs-lock 'x' error: no quorum!", []),
    ],
  ])("%s", (_, error) => {
    expect(isOutage(error)).toBe(true);
    expect(isOutage(failure(error, where))).toBe(true);
  });

  it.each<[string, Error]>([
    ["a missing privilege", new ApiError("PUT /x", 403, "Permission check failed")],
    ["a full datastore", new TaskError("UPID:pve1:1:2:3:qmclone:9000:a@pve:", "no space left on device", [])],
    ["one node that is down", new ApiError("GET /nodes/pve2/x", 595, "No route to host")],
  ])("not %s", (_, error) => {
    expect(isOutage(failure(error, where))).toBe(false);
  });
});

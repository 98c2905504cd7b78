import { expect, it } from "vitest";
import type { Cluster } from "../../config/cluster.ts";
import { ApiError, ConnectionError } from "../../proxmox/errors.ts";
import { fakeClient } from "../../proxmox/fakeClient.ts";
import { Run } from "./run.ts";

it("what went wrong with the cluster as a whole is told once, and known from then on", () => {
  const limits = { clonesPerTemplate: 4, clonesPerDatastore: 4 };
  const run = new Run(fakeClient(() => undefined).client, { limits } as Cluster);
  expect(run.isNewOutage(new ApiError("PUT /x", 500, "VM is locked (backup)"))).toBe(false);
  expect(run.outage).toBeUndefined();
  const gone = new ConnectionError("refused", "pve1:8006 refused the connection");
  expect(run.isNewOutage(gone)).toBe(true);
  expect(run.isNewOutage(new ApiError("PUT /x", 401, "token expired"))).toBe(false);
  expect(run.outage).toBe(gone);
});

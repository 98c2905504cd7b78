import { expect, test } from "vitest";
import { ApiError } from "../../../../proxmox/errors.ts";
import { fakeFacts, found } from "../../fakeFacts.ts";
import { runChecks } from "../../run.ts";
import { quorum } from "./quorum.ts";

test("a single node without a cluster is fine", async () => {
  const clusterStatus = async () => [{ type: "node" as const, name: "pve", online: 1 }];
  expect(await found(quorum, fakeFacts({ clusterStatus }))).toEqual(["pass a single node without a cluster"]);
});

test("without quorum the nodes that are offline are named", async () => {
  const clusterStatus = async () => [
    { type: "cluster" as const, name: "home", quorate: 0 },
    { type: "node" as const, name: "pve1", online: 1 },
    { type: "node" as const, name: "pve2", online: 0 },
    { type: "node" as const, name: "pve3", online: 0 },
  ];
  expect(await found(quorum, fakeFacts({ clusterStatus }))).toEqual([
    "fail cluster home has no quorum and is read-only; offline: pve2, pve3 (1 of 3 nodes are left)",
  ]);
});

test("where the login may not ask for it, nothing is said here", async () => {
  const clusterStatus = () =>
    Promise.reject(new ApiError("GET /cluster/status", 403, "Permission check failed (/, Sys.Audit)"));
  const [{ findings = [] } = {}] = await runChecks([quorum], fakeFacts({ clusterStatus }));
  expect(findings).toEqual([]);
});

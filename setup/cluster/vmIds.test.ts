import { expect, test } from "vitest";
import { ApiError } from "../../proxmox/errors.ts";
import { fakeClient } from "../../proxmox/fakeClient.ts";
import { findFreeVmIds, takenVmIds } from "./vmIds.ts";

interface Cluster {
  vms?: number[];
  /** Guests that the login cannot see. */
  hidden?: number[];
  nextId?: unknown;
  sees?: boolean;
}

function cluster({ vms = [], hidden = [], nextId, sees = hidden.length === 0 }: Cluster) {
  return fakeClient((call, params) => {
    if (call === "GET /cluster/resources") return vms.map((vmid) => ({ vmid, node: "pve1", type: "qemu" }));
    if (call === "GET /cluster/options") return { "next-id": nextId };
    if (call === "GET /access/permissions") return sees ? { "/vms": { "VM.Audit": 1 } } : {};
    if (call === "GET /cluster/nextid")
      return hidden.includes(Number(params.vmid)) ? new ApiError(call, 400, "VM already exists") : params.vmid;
    throw new Error(call);
  });
}
const free = (has: Cluster, clones = 2) => findFreeVmIds(cluster(has).client, clones);

test("an empty cluster has 9000 for the template, and 9101 and on for clones", async () => {
  const { client, asked } = cluster({});
  expect(await findFreeVmIds(client, 50)).toEqual({ template: 9000, clones: { first: 9101, count: 50 } });
  expect(asked).toHaveLength(3);
});

test("hundreds with a guest in them are left to whoever has it", async () => {
  expect(await free({ vms: [100, 9000] })).toMatchObject({ template: 9100, clones: { first: 9201 } });
  expect(await free({ vms: [9150] })).toMatchObject({ template: 9200, clones: { first: 9301 } });
  expect(await free({ vms: [9250] }, 150)).toMatchObject({ template: 9300, clones: { first: 9401 } });
});

test("a guest that the login cannot see is found too", async () => {
  expect(await free({ hidden: [9000] })).toMatchObject({ template: 9100 });
  expect(await free({ hidden: [9102] })).toMatchObject({ template: 9200 });
  const { client } = cluster({ vms: [9101], hidden: [9103] });
  expect(await takenVmIds(client, [9101, 9102, 9103])).toEqual([9101, 9103]);
});

test("the cluster's range is kept, whichever way PVE writes it", async () => {
  expect(await free({ nextId: { lower: "2000", upper: "3000" } })).toEqual({
    template: 2000,
    clones: { first: 2101, count: 2 },
    range: { lower: 2000, upper: 2999 },
  });
  expect(await free({ nextId: "lower=200,upper=210", vms: [200, 203] })).toMatchObject({
    template: 204,
    clones: { first: 205 },
  });
});

test("a range with too few free ones in a row is an error that says what to do", async () => {
  await expect(free({ nextId: { lower: 200, upper: 205 }, vms: [202] })).rejects.toMatchObject({
    code: "none",
    message: "there are no 3 free VMIDs in a row from 200 to 204, for a template and 2 clones",
    todo: [expect.stringContaining("Next Free VMID Range")],
  });
});

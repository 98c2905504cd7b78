import { describe, expect, it } from "vitest";
import { fakeClient } from "../../../proxmox/fakeClient.ts";
import { readConfig } from "../../../proxmox/guests.ts";
import { NodeMemory } from "../../run/nodeMemory.ts";
import { fakeClone } from "../fakeClone.ts";
import type { CloneInputs } from "../inputs.ts";
import { type PlaceApi, place } from "./place.ts";

const GIB = 2 ** 30;
const PLACES = [
  { node: "pve1", sourceVmId: 9000 },
  { node: "pve2", sourceVmId: 9001 },
  { node: "pve3", sourceVmId: 9000, sourceNode: "pve1" },
];

/** Nodes with so many GiB of free memory; without a number they are off. The template has 2 GiB. */
function cluster(free: Record<string, number | undefined>) {
  const { client, asked } = fakeClient((call) => {
    if (call.endsWith("/config")) return { memory: "2048" };
    return Object.entries(free).map(([node, gib]) =>
      gib === undefined ? { node, status: "offline" } : { node, status: "online", mem: GIB, maxmem: (gib + 1) * GIB },
    );
  });
  const memory = new NodeMemory(client);
  const api: PlaceApi = {
    freeMemory: () => memory.free(),
    readConfig: (node, vmId) => readConfig(client, node, vmId),
  };
  return { api, asked };
}

/** The nodes that so many clones of a set get. */
async function nodesOf(api: PlaceApi, count: number, change: Partial<CloneInputs>): Promise<string[]> {
  const clones = Array.from({ length: count }, () => fakeClone({ places: PLACES, ...change }));
  return (await Promise.all(clones.map((clone) => place(api, clone)))).map(({ node }) => node);
}

describe("a new clone", () => {
  it("goes to the first of its places when the set is spread: its order says which; PVE is not asked", async () => {
    const { api, asked } = cluster({ pve1: 1, pve2: 64, pve3: 64 });
    expect(await nodesOf(api, 2, {})).toEqual(["pve1", "pve1"]);
    expect(asked).toEqual([]);
  });

  it("goes to where its disks wait, whatever the placement, or nowhere", async () => {
    const { api, asked } = cluster({});
    const config = { scsi0: "local-lvm:vm-105-disk-0,size=8G" };
    const clone = fakeClone({ places: PLACES, placement: "memory" });
    expect((await place(api, clone, { node: "pve2", vmId: 105, config })).node).toBe("pve2");
    await expect(place(api, clone, { node: "pve9", vmId: 105, config })).rejects.toThrow(
      /^its disks wait in VM 105 on node pve9, .* may be on pve1, pve2, pve3 alone/,
    );
    expect(asked).toEqual([]);
    const spread = fakeClone({ places: PLACES });
    expect((await place(api, spread, { node: "pve9", vmId: 105, config: {} })).node).toBe("pve1");
  });

  it("goes to the only place that there is, whatever the placement", async () => {
    const { api, asked } = cluster({ pve1: undefined });
    expect(await nodesOf(api, 1, { places: PLACES.slice(0, 1), placement: "memory" })).toEqual(["pve1"]);
    expect(asked).toEqual([]);
  });

  it("fills one node after the other when packed, with the memory that it has itself or from its template", async () => {
    const { api } = cluster({ pve1: 5, pve2: 4, pve3: 64 });
    expect(await nodesOf(api, 5, { placement: "packed" })).toEqual(["pve1", "pve1", "pve2", "pve2", "pve3"]);
    const { api: other } = cluster({ pve1: 5, pve2: 4, pve3: 64 });
    expect(await nodesOf(other, 3, { placement: "packed", memoryMiB: 4096 })).toEqual(["pve1", "pve2", "pve3"]);
  });

  it("goes where the most memory is free when no node of the packed ones has enough: PVE may overcommit", async () => {
    const { api } = cluster({ pve1: 1, pve2: 1.5, pve3: 1 });
    expect(await nodesOf(api, 1, { placement: "packed" })).toEqual(["pve2"]);
  });

  it("goes where the most memory is free, counting the clones that this run has put there", async () => {
    const { api } = cluster({ pve1: 9, pve2: 14, pve3: 3 });
    expect(await nodesOf(api, 5, { placement: "memory" })).toEqual(["pve2", "pve2", "pve2", "pve1", "pve2"]);
  });

  it("passes a node by that is off", async () => {
    const { api } = cluster({ pve1: undefined, pve2: 3, pve3: undefined });
    expect(await nodesOf(api, 2, { placement: "packed" })).toEqual(["pve2", "pve2"]);
    expect(await nodesOf(api, 1, { placement: "memory" })).toEqual(["pve2"]);
  });

  it("has nowhere to go when all of them are off", async () => {
    const { api } = cluster({ pve1: undefined, pve2: undefined, pve3: undefined });
    await expect(nodesOf(api, 1, { placement: "memory" })) //
      .rejects.toThrow("none of its nodes is online: pve1, pve2, pve3");
  });

  it("is cloned from the template's replica on its node, or from another node's", async () => {
    const { api } = cluster({ pve1: 1, pve2: 4, pve3: 6 });
    const clone = fakeClone({ places: PLACES, placement: "memory" });
    expect(await place(api, clone)).toEqual({ node: "pve3", sourceVmId: 9000, sourceNode: "pve1" });
    expect(await place(api, clone)).toEqual({ node: "pve2", sourceVmId: 9001 });
  });

  it("the nodes' memory is asked once for all clones of a run", async () => {
    const { api, asked } = cluster({ pve1: 9, pve2: 9, pve3: 9 });
    await nodesOf(api, 10, { placement: "memory", memoryMiB: 512 });
    expect(asked).toEqual(["GET /nodes"]);
  });
});

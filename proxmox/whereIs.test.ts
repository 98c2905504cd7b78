import { describe, expect, it } from "vitest";
import { ApiError } from "./errors.ts";
import { fakeClient } from "./fakeClient.ts";
import { whereIs } from "./whereIs.ts";

interface Cluster {
  nodes?: string[];
  /** Nodes that are off: PVE answers 595 for them. */
  down?: string[];
  /** VMIDs that are containers. */
  containers?: number[];
}

/** A cluster by its guests' nodes. A guest may move: then there is one node for each time that the list is asked for. */
function cluster(
  guests: Record<number, string | string[]>,
  { nodes = ["pve1", "pve2"], down = [], containers = [] }: Cluster = {},
) {
  let lists = 0;
  const nodeOf = (vmId: number, turn: number) => {
    const at = [guests[vmId] ?? []].flat();
    return at[Math.min(turn, at.length - 1)];
  };
  return fakeClient((call) => {
    if (call.startsWith("GET /cluster/resources")) {
      lists++;
      return Object.keys(guests).map((vmid) => ({
        vmid: Number(vmid),
        node: nodeOf(Number(vmid), lists - 1),
        type: containers.includes(Number(vmid)) ? "lxc" : "qemu",
        name: `guest-${vmid}`,
      }));
    }
    // Free numbers, as whoever may see all has them.
    if (call.startsWith("GET /cluster/nextid")) return "9101";
    const [, , node = "", , vmId] = call.split("/");
    if (!nodes.includes(node))
      return new ApiError("GET", 500, `hostname lookup '${node}' failed - failed to get address`);
    if (down.includes(node)) return new ApiError("GET", 595, "No route to host");
    if (nodeOf(Number(vmId), lists) === node && !containers.includes(Number(vmId))) return { name: `vm-${vmId}` };
    return new ApiError("GET", 500, `Configuration file 'nodes/${node}/qemu-server/${vmId}.conf' does not exist\n`);
  });
}

const at = (node: string) => ({ kind: "vm", node, config: { name: "vm-9101" } });

describe("a VMID is looked up", () => {
  it("where it was last, by one request", async () => {
    const { client, asked } = cluster({ 9101: "pve1" });
    expect(await whereIs(client, 9101, "pve1")).toEqual(at("pve1"));
    expect(asked).toEqual(["GET /nodes/pve1/qemu/9101/config"]);
  });

  it("in the whole cluster when it is not there, or nobody knows where it was", async () => {
    expect(await whereIs(cluster({ 9101: "pve2" }).client, 9101, "pve1")).toEqual(at("pve2"));
    expect(await whereIs(cluster({ 9101: "pve2" }).client, 9101)).toEqual(at("pve2"));
  });

  it("in the cluster when its node has left that, or is off: HA has started it on another", async () => {
    const left = cluster({ 9101: "pve2" }, { nodes: ["pve2"] });
    expect(await whereIs(left.client, 9101, "pve1")).toEqual(at("pve2"));
    const off = cluster({ 9101: "pve2" }, { down: ["pve1"] });
    expect(await whereIs(off.client, 9101, "pve1")).toEqual(at("pve2"));
  });

  it("again when it has moved between the list and the look", async () => {
    expect(await whereIs(cluster({ 9101: ["pve1", "pve2"] }).client, 9101)).toEqual(at("pve2"));
  });

  it("not for ever while it moves to and fro", async () => {
    const { client } = cluster({ 9101: ["pve1", "pve2", "pve1", "pve2", "pve1", "pve2", "pve1", "pve2"] });
    await expect(whereIs(client, 9101)).rejects.toThrow("it is being moved");
  });
});

describe("what is not there", () => {
  it("is absent when the cluster does not list it", async () => {
    expect(await whereIs(cluster({ 100: "pve1" }).client, 9101, "pve1")).toEqual({ kind: "absent" });
  });

  it("is not absent on a node that is off: nobody can look", async () => {
    const { client, asked } = cluster({ 9101: "pve1" }, { down: ["pve1"] });
    const unreachable = { kind: "unreachable", node: "pve1", name: "guest-9101" };
    expect(await whereIs(client, 9101)).toEqual(unreachable);
    asked.length = 0;
    expect(await whereIs(client, 9101, "pve1")).toEqual(unreachable);
    // A read is tried four times; the node is not read again when the list names it too.
    expect(asked).toHaveLength(5);
  });

  it("may be a container, which has its VMID from the same numbers", async () => {
    const { client } = cluster({ 9101: "pve2" }, { containers: [9101] });
    expect(await whereIs(client, 9101, "pve1")).toEqual({ kind: "container", node: "pve2", name: "guest-9101" });
  });

  it("is told from what the login may not see: PVE says of every VMID whether it is taken", async () => {
    const of = (taken: boolean) =>
      fakeClient((call) => {
        if (call.startsWith("GET /cluster/resources")) return [];
        if (!call.startsWith("GET /cluster/nextid"))
          return new ApiError("GET", 403, "Permission check failed (/vms/9101, VM.Audit)");
        return taken
          ? new ApiError("GET", 400, "Parameter verification failed.", { vmid: "VM 9101 already exists" })
          : "9101";
      }).client;
    expect(await whereIs(of(false), 9101, "pve1")).toEqual({ kind: "absent" });
    for (const hint of [["pve1"], []])
      await expect(whereIs(of(true), 9101, ...hint)).rejects.toThrow("taken by a guest that this login may not see");
  });
});

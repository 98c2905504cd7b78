import { expect, test } from "vitest";
import { ApiError } from "../../proxmox/errors.ts";
import { fakeClient } from "../../proxmox/fakeClient.ts";
import { listBridges } from "./networks.ts";
import { readNodeDns } from "./nodes.ts";

const plain = [
  { iface: "eno1", type: "eth" },
  { iface: "vmbr10", type: "bridge", active: 1, comments: "guests\n", bridge_vlan_aware: 1 },
  { iface: "vmbr2", type: "OVSBridge", active: 1, cidr: "10.2.0.11/24" },
  { iface: "vmbr0", type: "bridge", active: 1, cidr: "10.0.0.11/24", gateway: "10.0.0.1" },
];

test("the bridge of the default gateway comes first, vnets with zone and alias", async () => {
  const { client } = fakeClient((call, { type }) => {
    if (call === "GET /cluster/sdn/vnets") return [{ vnet: "web", zone: "dmz", alias: "public" }];
    const [, ...bridges] = plain;
    return type === "any_bridge" ? [...bridges, { iface: "web", type: "vnet", active: 1 }] : plain;
  });
  expect(await listBridges(client, "pve1")).toEqual([
    { name: "vmbr0", kind: "bridge", active: true, cidr: "10.0.0.11/24", gateway: "10.0.0.1" },
    { name: "vmbr2", kind: "OVSBridge", active: true, cidr: "10.2.0.11/24" },
    { name: "vmbr10", kind: "bridge", active: true, comment: "guests", vlanAware: true },
    { name: "web", kind: "vnet", active: true, zone: "dmz", comment: "public" },
  ]);
});

test("of a node's DNS a resolver on the node itself is left out; what may not be seen is unknown", async () => {
  const dns = (answer: unknown) => readNodeDns(fakeClient(() => answer).client, "pve1");
  expect(await dns({ dns1: "127.0.0.53", dns2: "10.0.0.1", search: "example.net lan" })).toEqual({
    servers: ["10.0.0.1"],
    searchDomain: "example.net",
  });
  expect(await dns({ search: "." })).toEqual({ servers: [] });
  expect(await dns(new ApiError("GET /nodes/pve1/dns", 403, "Permission check failed"))).toBeUndefined();
});

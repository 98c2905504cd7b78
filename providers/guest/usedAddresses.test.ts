import { expect, test } from "vitest";
import { ApiError } from "../../proxmox/errors.ts";
import { fakeClient } from "../../proxmox/fakeClient.ts";
import { readUsedAddresses } from "./usedAddresses.ts";

test("addresses are those of nodes, of configs and of agents", async () => {
  const { client } = fakeClient((call) => {
    const answers: Record<string, unknown> = {
      "GET /nodes": [
        { node: "pve1", status: "online" },
        { node: "pve2", status: "offline" },
      ],
      "GET /nodes/pve1/network": [
        { iface: "lo", address: "127.0.0.1" },
        { iface: "vmbr0", address: "10.0.0.11", address6: "FD00::11" },
      ],
      "GET /cluster/resources": [
        { vmid: 100, node: "pve1", type: "qemu", status: "running" },
        { vmid: 101, node: "pve1", type: "lxc", status: "stopped" },
        { vmid: 102, node: "pve2", type: "qemu", status: "unknown" },
        { vmid: 900, node: "pve1", type: "qemu", template: 1 },
      ],
      "GET /nodes/pve1/qemu/100/config": {
        name: "nas",
        agent: "1",
        ipconfig0: "ip=10.0.0.20/24",
        net0: "virtio,bridge=vmbr0",
      },
      "GET /nodes/pve1/lxc/101/config": { hostname: "dns", net0: "name=eth0,bridge=vmbr0,ip=10.0.0.53/24" },
      "GET /nodes/pve2/qemu/102/config": new ApiError(call, 595, "No route to host"),
      "GET /nodes/pve1/qemu/100/agent/network-get-interfaces": {
        result: [
          { name: "lo", "ip-addresses": [{ "ip-address": "127.0.0.1" }] },
          {
            name: "eth0",
            "ip-addresses": [{ "ip-address": "10.0.0.20" }, { "ip-address": "fe80::1" }, { "ip-address": "10.0.0.99" }],
          },
        ],
      },
    };
    if (!(call in answers)) throw new Error(call);
    return answers[call];
  });
  const { used, unread } = await readUsedAddresses(client);
  expect(used).toEqual([
    { address: "10.0.0.11", owner: "node pve1", by: "node" },
    { address: "fd00:0:0:0:0:0:0:11", owner: "node pve1", by: "node" },
    { address: "10.0.0.20", owner: 'VM 100 "nas"', by: "config" },
    { address: "10.0.0.99", owner: 'VM 100 "nas"', by: "agent" },
    { address: "10.0.0.53", owner: 'container 101 "dns"', by: "config" },
  ]);
  expect(unread).toEqual([expect.stringMatching(/^VM 102: .*No route to host$/)]);
});

import { expect, it } from "vitest";
import { fakeClient } from "./fakeClient.ts";
import { pendingOptions } from "./pendingOptions.ts";

it("what waits for the next start is told by two lists, of the VM and of its cloud-init drive; the rest is in force", async () => {
  const { client, asked } = fakeClient((call) =>
    call.endsWith("/pending")
      ? [
          { key: "cores", value: 2, pending: 4 },
          { key: "memory", value: "2048" },
          { key: "balloon", value: 1024, delete: 1 },
          { key: "net1", pending: "virtio,bridge=vmbr1" },
        ]
      : [
          { key: "nameserver", value: "10.0.0.1", pending: "10.0.0.2" },
          { key: "searchdomain", value: "example.net" },
        ],
  );
  expect(await pendingOptions(client, "pve1", 9101)).toEqual([
    { key: "cores", value: 2, pending: 4 },
    { key: "balloon", value: 1024, delete: 1 },
    { key: "net1", pending: "virtio,bridge=vmbr1" },
    { key: "nameserver", value: "10.0.0.1", pending: "10.0.0.2" },
  ]);
  expect(asked).toEqual(["GET /nodes/pve1/qemu/9101/pending", "GET /nodes/pve1/qemu/9101/cloudinit"]);
});

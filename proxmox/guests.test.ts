import { describe, expect, it } from "vitest";
import type { PveClient } from "./client.ts";
import { ApiError, TaskError } from "./errors.ts";
import { diskVolumes, isMissing, locate } from "./guests.ts";

const missing = (node: string, vmId: number) =>
  new ApiError("GET", 500, `Configuration file 'nodes/${node}/qemu-server/${vmId}.conf' does not exist\n`);

/** A cluster by its VMs' nodes; `down` nodes answer as PVE does for a node that is off. */
function cluster(vms: Record<number, string>, { nodes = ["pve1", "pve2"], down = [] as string[] } = {}): PveClient {
  const get = async (apiPath: string) => {
    if (apiPath === "/cluster/resources") {
      return Object.entries(vms).map(([vmid, node]) => ({ vmid: Number(vmid), node, type: "qemu" }));
    }
    const [, , node = "", , vmId] = apiPath.split("/");
    if (!nodes.includes(node))
      throw new ApiError("GET", 500, `hostname lookup '${node}' failed - failed to get address`);
    if (down.includes(node)) throw new ApiError("GET", 595, "No route to host");
    if (vms[Number(vmId)] !== node) throw missing(node, Number(vmId));
    return { name: `vm-${vmId}` };
  };
  return { get } as unknown as PveClient;
}

describe("locate", () => {
  it("finds a VM where it was", async () => {
    expect(await locate(cluster({ 9101: "pve1" }), "pve1", 9101)).toEqual({
      node: "pve1",
      config: { name: "vm-9101" },
    });
  });

  it("finds a VM that was migrated, even from a node that has left the cluster", async () => {
    expect((await locate(cluster({ 9101: "pve2" }), "pve1", 9101))?.node).toBe("pve2");
    expect((await locate(cluster({ 9101: "pve2" }, { nodes: ["pve2"] }), "pve1", 9101))?.node).toBe("pve2");
  });

  it("a VM that is nowhere is gone", async () => {
    expect(await locate(cluster({ 100: "pve1" }), "pve1", 9101)).toBeUndefined();
  });

  it("a VM on a node that is off is not gone: nobody knows", async () => {
    await expect(locate(cluster({ 9101: "pve1" }, { down: ["pve1"] }), "pve1", 9101)).rejects.toThrow("No route");
  });
});

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
    "hostname lookup 'nosuch' failed - failed to get address info for: nosuch: Name or service not known",
  ])("is not meant by: %s", (text) => {
    expect(isMissing(new ApiError("DELETE", 500, text))).toBe(false);
  });
});

it("disks are the drives with volumes, without CD-ROMs and cloud-init", () => {
  expect(
    diskVolumes({
      name: "noble",
      scsi0: "local-lvm:base-9000-disk-1,discard=on,size=20G",
      efidisk0: "local-lvm:base-9000-disk-0,efitype=4m",
      scsi30: "local-lvm:vm-9000-cloudinit,media=cdrom",
      ide2: "none,media=cdrom",
      scsihw: "virtio-scsi-single",
    }),
  ).toEqual({ scsi0: "local-lvm:base-9000-disk-1", efidisk0: "local-lvm:base-9000-disk-0" });
});

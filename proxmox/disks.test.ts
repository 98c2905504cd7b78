import { describe, expect, it } from "vitest";
import { addDisk, baseOf, datastoreOf, deleteDisk, diskVolumes, growDisk, moveDisk, sizeOf } from "./disks.ts";
import { ApiError } from "./errors.ts";
import { fakeClient, inTurn } from "./fakeClient.ts";

const VM = { node: "pve1", vmId: 9101 };
const GIB = 2 ** 30;
const OK = { status: "stopped", exitstatus: "OK" };
const lost = new ApiError("PUT", 596, "Broken pipe");

it("disks are the drives with volumes, without CD-ROMs and cloud-init", () => {
  expect(
    diskVolumes({
      name: "noble",
      scsi0: "local-lvm:base-9000-disk-1,discard=on,size=20G",
      virtio1: "file=local-lvm:vm-9000-disk-3,size=4G",
      efidisk0: "local-lvm:base-9000-disk-0,efitype=4m",
      scsi30: "local-lvm:vm-9000-cloudinit,media=cdrom",
      ide2: "none,media=cdrom",
      scsihw: "virtio-scsi-single",
      unused0: "local-lvm:vm-9000-disk-9",
    }),
  ).toEqual({
    scsi0: "local-lvm:base-9000-disk-1",
    virtio1: "local-lvm:vm-9000-disk-3",
    efidisk0: "local-lvm:base-9000-disk-0",
  });
});

it.each([
  ["local-lvm:vm-9101-disk-0", "local-lvm", undefined],
  ["local:9000/base-9000-disk-1.qcow2/9101/vm-9101-disk-1.qcow2", "local", 9000],
  ["ceph:base-9000-disk-1/vm-9101-disk-0", "ceph", 9000],
  ["local-lvm:base-9000-disk-1", "local-lvm", undefined],
  ["none", "", undefined],
])("the volume %s is on datastore %s, its base is VM %s", (volume, datastore, base) => {
  expect(datastoreOf(volume)).toBe(datastore);
  expect(baseOf(volume)).toBe(base);
});

it.each([
  ["local-lvm:vm-9101-disk-0,size=20G", 20 * GIB],
  ["local-lvm:vm-9101-disk-0,size=2252M", 2252 * 2 ** 20],
  ["local-lvm:vm-9101-disk-0,size=528K", 528 * 2 ** 10],
  ["local-lvm:vm-9101-disk-0,size=1.5T", 1.5 * 2 ** 40],
  ["local-lvm:vm-9101-disk-0", undefined],
  [undefined, undefined],
])("the size of %s is %s bytes", (drive, bytes) => {
  expect(sizeOf(drive)).toBe(bytes);
});

describe("a disk is added", () => {
  const config = "/nodes/pve1/qemu/9101/config";
  const add = (client: Parameters<typeof addDisk>[0]) =>
    addDisk(client, VM, { drive: "scsi1", value: "local-lvm:8,discard=on" });

  it("to the VM that was looked at", async () => {
    const { client, asked } = fakeClient((call) => {
      if (call === `GET ${config}`) return { digest: "d1" };
      return call.startsWith("POST") ? "UPID:pve1:1:2:3:qmconfig:9101:a@pve:" : OK;
    });
    await add(client);
    expect(asked.slice(0, 2)).toEqual([
      `GET ${config}`,
      `POST ${config} {"scsi1":"local-lvm:8,discard=on","digest":"d1"}`,
    ]);
  });

  it("once, when the answer gets lost", async () => {
    const found: Record<string, unknown> = { digest: "d1" };
    const { client, asked } = fakeClient((call) => {
      if (call === `GET ${config}`) return found;
      if (!call.startsWith("POST")) return [];
      found.scsi1 = "local-lvm:vm-9101-disk-3,size=8G";
      return lost;
    });
    await add(client);
    expect(asked.filter((call) => call.startsWith("POST"))).toHaveLength(1);
  });
});

it("a disk is deleted with its volume; one that is gone when the answer got lost is fine", async () => {
  const found: Record<string, unknown> = { scsi1: "local-lvm:vm-9101-disk-3,size=8G" };
  const { client, asked } = fakeClient((call) => {
    if (call.endsWith("/config") && call.startsWith("GET")) return found;
    if (!call.startsWith("POST")) return [];
    delete found.scsi1;
    return lost;
  });
  await deleteDisk(client, VM, "scsi1");
  expect(asked.filter((call) => call.startsWith("POST"))).toEqual([
    'POST /nodes/pve1/qemu/9101/config {"delete":"scsi1","force":true}',
  ]);
});

describe("a disk is grown", () => {
  const of = (size: string) => ({ scsi0: `local-lvm:vm-9101-disk-0,size=${size}` });

  it("where it has less than it should", async () => {
    const { client, asked } = fakeClient((call) =>
      call.startsWith("PUT") ? "UPID:pve1:1:2:3:resize:9101:a@pve:" : OK,
    );
    const began: string[] = [];
    const onBegin = () => began.push("begun");
    expect(await growDisk(client, VM, { drive: "scsi0", sizeGiB: 40, config: of("20G") }, { onBegin })).toBe(true);
    expect(asked[0]).toBe('PUT /nodes/pve1/qemu/9101/resize {"disk":"scsi0","size":"40G"}');
    expect(began).toEqual(["begun"]);
  });

  it.each(["40G", "64G"])("not where it has %s already: no disk shrinks", async (size) => {
    const { client, asked } = fakeClient(() => undefined);
    expect(await growDisk(client, VM, { drive: "scsi0", sizeGiB: 40, config: of(size) })).toBe(false);
    expect(asked).toEqual([]);
  });

  it("once, though the answer gets lost", async () => {
    const { client, asked } = fakeClient((call) => {
      if (call.startsWith("PUT")) return lost;
      return call.endsWith("/config") ? of("40G") : [];
    });
    expect(await growDisk(client, VM, { drive: "scsi0", sizeGiB: 40, config: of("20G") })).toBe(true);
    expect(asked.filter((call) => call.startsWith("PUT"))).toHaveLength(1);
  });
});

describe("a disk is moved", () => {
  it("to another datastore, and its old volume is deleted", async () => {
    const { client, asked } = fakeClient((call) =>
      call.startsWith("POST") ? "UPID:pve1:1:2:3:qmmove:9101:a@pve:" : OK,
    );
    await moveDisk(client, VM, { drive: "scsi0", datastore: "ceph" });
    expect(asked[0]).toBe('POST /nodes/pve1/qemu/9101/move_disk {"disk":"scsi0","storage":"ceph","delete":true}');
  });

  it("again where the answer got lost and the disk is still where it was; not where it has arrived", async () => {
    for (const [volume, posts] of [
      ["local-lvm:vm-9101-disk-0", 2],
      ["ceph:vm-9101-disk-0", 1],
    ] as const) {
      const post = inTurn<unknown>(lost, null);
      const { client, asked } = fakeClient((call) => {
        if (call.startsWith("POST")) return post();
        return call.endsWith("/config") ? { scsi0: `${volume},size=20G` } : [];
      });
      await moveDisk(client, VM, { drive: "scsi0", datastore: "ceph" });
      expect(asked.filter((call) => call.startsWith("POST"))).toHaveLength(posts);
    }
  });
});

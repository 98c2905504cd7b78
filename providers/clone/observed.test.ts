import { describe, expect, it } from "vitest";
import type { GuestConfig } from "../../proxmox/guests.ts";
import { fakeClone, fakeMade, UUID } from "./fakeClone.ts";
import type { CloneInputs } from "./inputs.ts";
import { freshUuid, observed, observedMade } from "./observed.ts";
import { options } from "./options.ts";

const NET0 = "virtio=BC:24:11:00:00:01,bridge=vmbr0,firewall=1,tag=7";

/** A VM's config as PVE has it after these options were set. */
function configured(inputs: CloneInputs, config: GuestConfig = {}): GuestConfig {
  const current = { smbios1: `uuid=${UUID}`, ...config };
  const { delete: deleted, onboot, ...set } = options(inputs, { config: current, made: fakeMade(), spec: {} });
  const all = Object.entries({ ...config, ...set, onboot: onboot ? 1 : 0 });
  return Object.fromEntries(
    all.filter(([key, value]) => value !== undefined && !String(deleted).split(",").includes(key)),
  );
}

describe("what is observed of a clone", () => {
  const rich = fakeClone({
    tags: ["web", "a"],
    nameservers: ["10.0.0.1", "10.0.0.2"],
    description: "the *first* one",
    ipConfigs: ["ip=10.0.0.21/24,gw=10.0.0.1", "", "ip6=auto"],
    cores: 4,
    memoryMiB: 1024,
    balloonMiB: 512,
    nics: [
      { bridge: "vmbr1", vlan: 20, mac: "BC:24:11:00:00:99" },
      { added: true, bridge: "vmbr2" },
    ],
    options: { startup: "order=2,up=30", hostpci0: "mapping=gpu,pcie=1", hostpci1: "" },
    diskGiB: 3,
    bootDisk: "scsi0",
    disks: [{ drive: "scsi1", datastore: "hdd", sizeGiB: 5, options: "discard=on" }],
    onBoot: true,
  });
  const scsi1 = "hdd:vm-9101-disk-1,discard=on,size=5G";
  const disk = { scsi0: "local-lvm:vm-9101-disk-0,size=3G", scsi1, net0: NET0 };

  it.each([
    ["a plain one", fakeClone(), {}],
    ["one with everything", rich, disk],
  ])("is what was set: %s", (_what, inputs, config) => {
    expect(observed(inputs, configured(inputs, config), undefined)).toEqual(inputs);
  });

  it("is not changed by the order of tags, by people's notes, or by a disk that somebody has grown", () => {
    const config = configured(rich, disk);
    const lived = {
      ...config,
      tags: "web;fleet-c1d2be9a;a",
      description: `ask Ann\n\n${config.description}\n\nor Bob`,
      scsi0: "local-lvm:vm-9101-disk-0,size=8G",
      startup: "up=30,order=2",
    };
    expect(observed(rich, lived, undefined)).toEqual(rich);
  });

  it("is what somebody has done to hardware of the clone's own", () => {
    const { net1: _, hostpci0: __, ...lost } = configured(rich, disk);
    const lived = { ...lost, startup: "order=1", hostpci1: "mapping=other" };
    const { nics = [], options = {} } = observed(rich, lived, undefined);
    expect(nics[1]).toEqual({});
    expect(options).toEqual({ startup: "order=1", hostpci0: "", hostpci1: "mapping=other" });
  });

  it("is nothing of what the config does not speak of", () => {
    const lived = {
      ...configured(fakeClone()),
      cores: 16,
      memory: "65536",
      net0: "virtio=00:00:00:00:00:01,bridge=vmbr9",
    };
    expect(observed(fakeClone(), lived, "somebody's")).toEqual(fakeClone());
  });

  it("shows a disk that is smaller than it should be: growing it had failed", () => {
    const config = { ...configured(rich, disk), scsi0: "local-lvm:vm-9101-disk-0,size=2252M" };
    expect(observed(rich, config, undefined).diskGiB).toBe(2);
  });

  it("shows what somebody has changed, each as PVE has it", () => {
    const config = configured(rich, disk);
    const change = (values: GuestConfig) => {
      const found = observed(rich, { ...config, ...values }, undefined);
      return Object.fromEntries(
        Object.entries(found).filter(([key, value]) => value !== rich[key as keyof CloneInputs]),
      );
    };
    expect(change({ name: "db-1" })).toMatchObject({ name: "db-1" });
    expect(change({ smbios1: `uuid=${UUID}` })).toMatchObject({ hostname: "" });
    expect(change({ ipconfig0: "ip=dhcp" })).toMatchObject({ ipConfigs: ["ip=dhcp", "", "ip6=auto"] });
    expect(change({ ipconfig4: "ip=dhcp" })).toMatchObject({
      ipConfigs: ["ip=10.0.0.21/24,gw=10.0.0.1", "", "ip6=auto", "", "ip=dhcp"],
    });
    expect(change({ nameserver: "10.0.0.3" })).toMatchObject({ nameservers: ["10.0.0.3"] });
    expect(change({ searchdomain: "example.org" })).toMatchObject({ searchDomain: "example.org" });
    expect(change({ onboot: 0 })).toMatchObject({ onBoot: false });
    expect(change({ cores: 1, memory: "512", balloon: 0 })).toMatchObject({ cores: 1, memoryMiB: 512, balloonMiB: 0 });
    expect(change({ net0: NET0 })).toMatchObject({ nics: [{ bridge: "vmbr0", vlan: 7 }, {}] });
  });

  it("shows tags that are not as they should be; without the fleet's there is an empty one", () => {
    expect(observed(rich, { ...configured(rich, disk), tags: "b;fleet-c1d2be9a" }, undefined).tags).toEqual(["b"]);
    expect(observed(rich, { ...configured(rich, disk), tags: "a;web" }, undefined).tags).toEqual(["", "a", "web"]);
  });

  it("shows that the mark or the description is gone from the notes", () => {
    const notes = String(configured(rich, disk).description);
    const [description = "", mark = ""] = notes.split("\n\n");
    const found = (text: string) => observed(rich, { ...configured(rich, disk), description: text }, undefined);
    expect(found(mark)).toMatchObject({ set: "web", description: "" });
    expect(found(description)).toMatchObject({ set: "", description: rich.description });
    expect(found(mark.replace("cloneSets.web", "cloneSets.app"))).toMatchObject({ set: "" });
  });

  it("shows the pool that a VM is in, where the config has one", () => {
    const pooled = fakeClone({ pool: "web" });
    expect(observed(pooled, configured(pooled), "web")).toEqual(pooled);
    expect(observed(pooled, configured(pooled), "prod/other").pool).toBe("prod/other");
    expect(observed(pooled, configured(pooled), undefined)).not.toHaveProperty("pool");
  });

  it("is no domain where the VM has none", () => {
    const { searchdomain: _, ...config } = configured(fakeClone());
    expect(observed(fakeClone(), config, undefined)).not.toHaveProperty("searchDomain");
  });

  it("shows a VM with nothing of it, and fails at nothing", () => {
    expect(observed(rich, {}, undefined)).toMatchObject({
      ...{ name: "", hostname: "", nameservers: [], onBoot: false, diskGiB: 0, set: "", description: "", tags: [""] },
    });
  });

  it("of a clone that was never made is what PVE has on its VMID", () => {
    const { stack, fleetId, vmId } = fakeClone();
    expect(observed({ stack, fleetId, vmId }, configured(fakeClone()), undefined)).toMatchObject({ name: "web-1" });
  });
});

describe("what a clone was made from", () => {
  const made = fakeMade({ full: true });
  const smbios1 = String(configured(fakeClone()).smbios1);
  const datastore = (config: GuestConfig, from = made) => observedMade(from, config).datastore;
  const at = (...stores: string[]) =>
    Object.fromEntries(stores.map((store, n) => [`scsi${n}`, `${store}:vm-9101-disk-${n},size=3G`]));

  it("has the UUID and the instance-id that its VM tells, which states of earlier versions do not know", () => {
    const { uuid: _, instanceId: _i, ...old } = made;
    expect(observedMade(old, { smbios1 })).toEqual(made);
    expect(observedMade(old, { smbios1: "uuid=ffff" })).toEqual({ ...old, uuid: "ffff" });
    expect(observedMade(old, {})).toEqual(old);
    expect(observedMade(made, {})).toEqual(made);
  });

  it("is where its disks are, of a full clone", () => {
    expect(datastore(at("local-lvm", "local-lvm"))).toBe("local-lvm");
    expect(datastore(at("ceph", "ceph"))).toBe("ceph");
    expect(datastore(at("ceph", "ceph"), fakeMade())).toBe("local-lvm");
  });

  it("is on another datastore as soon as one disk is, so that it is moved back where the config names one", () => {
    expect(datastore(at("local-lvm", "ceph"))).toBe("ceph");
  });

  it("is not where a CD-ROM or the cloud-init drive is, and stays known where there is no disk", () => {
    expect(datastore({ ide2: "iso:iso/debian.iso,media=cdrom" })).toBe("local-lvm");
    expect(datastore({ ide2: "local:9101/vm-9101-cloudinit.qcow2,media=cdrom" })).toBe("local-lvm");
  });
});

it("a VM was never configured if it has no serial of ours, and no run has said that it gave it one", () => {
  const { hostname: _, ...spec } = fakeClone();
  const bare = { smbios1: `uuid=${UUID}` };
  expect(freshUuid({ spec }, bare)).toBe(UUID);
  expect(freshUuid({ spec }, configured(fakeClone()))).toBeUndefined();
  // Somebody has taken the serial away.
  expect(freshUuid({ spec: fakeClone() }, bare)).toBeUndefined();
});

import { describe, expect, it } from "vitest";
import { fakeClone } from "./fakeClone.ts";
import { observed, options } from "./options.ts";

const uuid = "uuid=0a0b0c0d-0000-4000-8000-000000000001";
const NET0 = "virtio=BC:24:11:00:00:01,bridge=vmbr0,firewall=1,tag=7";

/** A VM's config as PVE has it after these options were set. */
function configured(
  inputs: ReturnType<typeof fakeClone>,
  config: Record<string, unknown> = {},
): Record<string, unknown> {
  const { delete: deleted, onboot, ...set } = options(inputs, { smbios1: uuid, ...config });
  const all = Object.entries({ ...config, ...set, onboot: onboot ? 1 : 0 });
  return Object.fromEntries(
    all.filter(([key, value]) => value !== undefined && !String(deleted).split(",").includes(key)),
  );
}

describe("the options of a clone", () => {
  it("are its own name, address, DNS, tags, mark and host name; hardware it has from the template", () => {
    expect(options(fakeClone(), { smbios1: uuid })).toEqual({
      name: "web-1",
      description: expect.stringContaining("resource=cloneSets.web vmid=9101"),
      onboot: false,
      tags: "fleet-c1d2be9a;web",
      smbios1: `${uuid},base64=1,serial=${Buffer.from("ds=nocloud;dsmode=net;h=web-1.example.net").toString("base64")}`,
      nameserver: "10.0.0.1",
      searchdomain: "example.net",
      ipconfig0: "ip=10.0.0.21/24,gw=10.0.0.1",
    });
  });

  it("delete what the config does not have: DNS, and the addresses of further interfaces", () => {
    const { searchDomain: _, ...bare } = fakeClone({ nameservers: [], ipConfigs: ["ip=dhcp", ""] });
    const told = options(bare, { smbios1: uuid, ipconfig1: "ip=dhcp", ipconfig2: "ip=dhcp", ipconfig10: "ip=dhcp" });
    expect(String(told.delete).split(",").sort()).toEqual([
      ...["ipconfig1", "ipconfig10", "ipconfig2", "nameserver", "searchdomain"],
    ]);
  });

  it("put an interface on another bridge or VLAN, and leave its card, MAC address and firewall", () => {
    const net0 = (nic: object, current = NET0) => options(fakeClone({ nics: [nic] }), { net0: current }).net0;
    expect(net0({ bridge: "vmbr1" })).toBe("virtio=BC:24:11:00:00:01,bridge=vmbr1,firewall=1,tag=7");
    expect(net0({ vlan: 20 })).toBe("virtio=BC:24:11:00:00:01,bridge=vmbr0,firewall=1,tag=20");
    expect(net0({ vlan: 0 })).toBe("virtio=BC:24:11:00:00:01,bridge=vmbr0,firewall=1");
    expect(net0({ vlan: 20 }, "virtio=BC:24:11:00:00:01,bridge=vmbr0")).toBe(
      "virtio=BC:24:11:00:00:01,bridge=vmbr0,tag=20",
    );
    expect(net0({})).toBeUndefined();
  });

  it("leave out an interface that the VM does not have", () => {
    const told = options(fakeClone({ nics: [{}, { vlan: 5 }] }), { net0: NET0 });
    expect(Object.keys(told).filter((key) => key.startsWith("net"))).toEqual([]);
  });

  it("set memory with its balloon, and cores, where the config has them", () => {
    const told = options(fakeClone({ cores: 4, memoryMiB: 4096, balloonMiB: 0 }), {});
    expect(told).toMatchObject({ cores: 4, memory: 4096, balloon: 0 });
  });
});

describe("what is observed of a clone", () => {
  const rich = fakeClone({
    tags: ["web", "a"],
    nameservers: ["10.0.0.1", "10.0.0.2"],
    description: "the *first* one",
    ipConfigs: ["ip=10.0.0.21/24,gw=10.0.0.1", "", "ip6=auto"],
    cores: 4,
    memoryMiB: 1024,
    balloonMiB: 512,
    nics: [{ bridge: "vmbr1", vlan: 20 }, {}],
    diskGiB: 3,
    bootDisk: "scsi0",
    onBoot: true,
  });
  const disk = { scsi0: "local-lvm:vm-9101-disk-0,size=3G", net0: NET0 };

  it.each([
    ["a plain one", fakeClone(), {}],
    ["one with everything", rich, disk],
  ])("is what was set: %s", (_what, inputs, config) => {
    expect(observed(inputs, configured(inputs, config))).toEqual(inputs);
  });

  it("is not changed by the order of tags, by people's notes, or by a disk that somebody has grown", () => {
    const config = configured(rich, disk);
    const lived = {
      ...config,
      tags: "web;fleet-c1d2be9a;a",
      description: `ask Ann\n${config.description}`,
      scsi0: "local-lvm:vm-9101-disk-0,size=8G",
    };
    expect(observed(rich, lived)).toEqual(rich);
  });

  it("is nothing of what the config does not speak of", () => {
    const lived = {
      ...configured(fakeClone()),
      cores: 16,
      memory: "65536",
      net0: "virtio=00:00:00:00:00:01,bridge=vmbr9",
    };
    expect(observed(fakeClone(), lived)).toEqual(fakeClone());
  });

  it("shows a disk that is smaller than it should be: growing it had failed", () => {
    expect(observed(rich, { ...configured(rich, disk), scsi0: "local-lvm:vm-9101-disk-0,size=2252M" }).diskGiB).toBe(2);
  });

  it("shows a VM with nothing of it, and fails at nothing", () => {
    const { searchDomain: _, ...inputs } = rich;
    expect(observed(inputs, {})).toMatchObject({ name: "", hostname: "", nameservers: [], onBoot: false, diskGiB: 0 });
  });
});

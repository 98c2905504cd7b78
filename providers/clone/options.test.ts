import { describe, expect, it } from "vitest";
import { networkRevision } from "../../fleet/cloudInit/networkRevision.ts";
import { serialOf, withSerial } from "../../fleet/cloudInit/smbios.ts";
import { parseSmbiosSerial } from "../../fleet/cloudInit/smbiosSerial.ts";
import type { GuestConfig } from "../../proxmox/guests.ts";
import { fakeClone, fakeMade, UUID } from "./fakeClone.ts";
import type { CloneInputs } from "./inputs.ts";
import { type Current, needsConfig, options } from "./options.ts";

const uuid = `uuid=${UUID}`;
const NET0 = "virtio=BC:24:11:00:00:01,bridge=vmbr0,firewall=1,tag=7";

/** The options of a clone that was made just now, unless `current` says otherwise. */
const of = (inputs: CloneInputs, config: GuestConfig = {}, current: Partial<Current> = {}) =>
  options(inputs, { config: { smbios1: uuid, ...config }, made: fakeMade(), spec: {}, ...current });

describe("the options of a clone", () => {
  it("are its own name, address, DNS, tags, mark and identity; hardware it has from the template", () => {
    const serial = `ds=nocloud;dsmode=net;h=web-1.example.net;i=${UUID};net=${networkRevision(fakeClone())}`;
    expect(of(fakeClone())).toEqual({
      name: "web-1",
      description: expect.stringContaining("resource=cloneSets.web vmid=9101 content=0123456789ab-linked"),
      onboot: false,
      tags: "fleet-c1d2be9a;web",
      smbios1: `${uuid},base64=1,serial=${Buffer.from(serial).toString("base64")}`,
      nameserver: "10.0.0.1",
      searchdomain: "example.net",
      ipconfig0: "ip=10.0.0.21/24,gw=10.0.0.1",
    });
  });

  it("say in the mark what the clone was made from, whatever the set says today", () => {
    const made = fakeMade({ template: "aaaaaaaaaaaa", full: true });
    expect(of(fakeClone(), {}, { made }).description).toContain("content=aaaaaaaaaaaa-full");
  });

  it("keep the notes that people have written", () => {
    const notes = { description: "the first\n\nask Ann" };
    const current = { spec: fakeClone({ description: "the first" }) };
    expect(of(fakeClone({ description: "the first" }), notes, current).description).toMatch(/^the first\n\nask Ann\n/);
  });

  it("have the snippets that the template's are to be replaced by, if there are any", () => {
    expect(of(fakeClone())).not.toHaveProperty("cicustom");
    const cicustom = "user=local:snippets/u.yaml,vendor=local:snippets/clones.yaml";
    expect(of(fakeClone(), {}, { cicustom })).toMatchObject({ cicustom });
  });

  it("delete what the config does not have: DNS, and the addresses of further interfaces", () => {
    const { searchDomain: _, ...bare } = fakeClone({ nameservers: [], ipConfigs: ["ip=dhcp", ""] });
    const told = of(bare, { ipconfig1: "ip=dhcp", ipconfig2: "ip=dhcp", ipconfig10: "ip=dhcp" });
    expect(String(told.delete).split(",").sort()).toEqual([
      ...["ipconfig1", "ipconfig10", "ipconfig2", "nameserver", "searchdomain"],
    ]);
  });

  it("of a new clone are without what is nothing for clones of its template, unless the config has it", () => {
    const uninherited = ["ipconfig0", "ipconfig1", "protection"];
    expect(of(fakeClone(), {}, { uninherited })).toMatchObject({
      ipconfig0: "ip=10.0.0.21/24,gw=10.0.0.1",
      delete: "ipconfig1,protection",
    });
    const own = fakeClone({ options: { protection: "1" }, ipConfigs: ["ip=dhcp", "ip=dhcp"] });
    expect(of(own, { ipconfig2: "ip=dhcp" }, { uninherited: [...uninherited, "ipconfig2"] })).toMatchObject({
      protection: "1",
      delete: "ipconfig2",
    });
  });

  it("add an interface that the template does not have, and take it away again", () => {
    const nics = [{}, { added: true as const, bridge: "vmbr1", vlan: 7 }];
    expect(of(fakeClone({ nics }), { net0: NET0 })).toMatchObject({ net1: "virtio,bridge=vmbr1,tag=7" });
    const mac = "BC:24:11:00:00:99";
    expect(of(fakeClone({ nics: [{}, { added: true, bridge: "vmbr1", mac }] }), { net0: NET0 }).net1) //
      .toBe(`virtio=${mac},bridge=vmbr1`);
    const had = { spec: fakeClone({ nics }) };
    expect(String(of(fakeClone(), { net0: NET0, net1: "virtio=BC:24:11:00:00:02,bridge=vmbr1" }, had).delete)) //
      .toContain("net1");
  });

  it("are more of PVE's own, and without one that is empty", () => {
    const told = of(fakeClone({ options: { cpulimit: "1.5", hostpci0: "" } }));
    expect(told).toMatchObject({ cpulimit: "1.5", delete: "hostpci0" });
  });

  it("put an interface on another bridge or VLAN, and leave its card, MAC address and firewall", () => {
    const net0 = (nic: object, current = NET0) => of(fakeClone({ nics: [nic] }), { net0: current }).net0;
    expect(net0({ bridge: "vmbr1" })).toBe("virtio=BC:24:11:00:00:01,bridge=vmbr1,firewall=1,tag=7");
    expect(net0({ vlan: 20 })).toBe("virtio=BC:24:11:00:00:01,bridge=vmbr0,firewall=1,tag=20");
    expect(net0({ mac: "BC:24:11:00:00:99" })).toBe("virtio=BC:24:11:00:00:99,bridge=vmbr0,firewall=1,tag=7");
    expect(net0({ vlan: 0 })).toBe("virtio=BC:24:11:00:00:01,bridge=vmbr0,firewall=1");
    expect(net0({ vlan: 20 }, "virtio=BC:24:11:00:00:01,bridge=vmbr0")).toBe(
      "virtio=BC:24:11:00:00:01,bridge=vmbr0,tag=20",
    );
    expect(net0({})).toBeUndefined();
  });

  it("leave out an interface that the VM does not have", () => {
    const told = of(fakeClone({ nics: [{}, { vlan: 5 }] }), { net0: NET0 });
    expect(Object.keys(told).filter((key) => key.startsWith("net"))).toEqual([]);
  });

  it("set memory with its balloon, and cores, where the config has them", () => {
    const told = of(fakeClone({ cores: 4, memoryMiB: 4096, balloonMiB: 0 }));
    expect(told).toMatchObject({ cores: 4, memory: 4096, balloon: 0 });
  });

  it("of a new clone are told without looking at it, unless its interfaces or its disk are to be others", () => {
    expect(needsConfig(fakeClone())).toBe(false);
    expect(needsConfig(fakeClone({ nics: [{ vlan: 5 }] }))).toBe(true);
    expect(needsConfig(fakeClone({ diskGiB: 40 }))).toBe(true);
  });
});

describe("what a clone's serial tells its guest", () => {
  const readdressed = fakeClone({ ipConfigs: ["ip=10.0.0.99/24,gw=10.0.0.1"] });
  /** The serial that a clone gets which exists, and has this serial now. */
  function serial(inputs: CloneInputs, had: string, made = fakeMade()) {
    const smbios1 = withSerial(uuid, had);
    const told = options(inputs, { config: { smbios1 }, made, spec: fakeClone() });
    return parseSmbiosSerial(serialOf(String(told.smbios1)));
  }
  const { instanceId: _, ...noInstance } = fakeMade();

  it("names the network settings, so that PVE lists others as pending", () => {
    const had = `ds=nocloud;dsmode=net;h=web-1;i=${UUID};net=00000000`;
    expect(serial(readdressed, had)).toEqual({
      hostname: "web-1.example.net",
      instanceId: UUID,
      network: networkRevision(readdressed),
    });
  });

  it("does not name them of a clone of an earlier version until they change: it would wait for a reboot for nothing", () => {
    const had = "ds=nocloud;dsmode=net;h=web-1.example.net";
    expect(serial(fakeClone(), had, noInstance)).toEqual({ hostname: "web-1.example.net" });
    expect(serial(readdressed, had, noInstance)).toEqual({
      hostname: "web-1.example.net",
      network: networkRevision(readdressed),
    });
  });

  it("keeps an instance-id that the state does not know", () => {
    expect(serial(fakeClone(), "ds=nocloud;dsmode=net;h=web-1;i=mine", noInstance)).toMatchObject({
      instanceId: "mine",
    });
  });
});

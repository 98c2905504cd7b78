import { afterEach, describe, expect, test } from "vitest";
import { parsed } from "../fleet/cloudInit/goldenCases.ts";
import { smbiosSerial } from "../fleet/cloudInit/smbiosSerial.ts";
import { renderUserData } from "../fleet/cloudInit/userData.ts";
import { renderCloneVendorData, renderVendorData } from "../fleet/cloudInit/vendorData.ts";
import { cloudInitOrSkip } from "./cloudInit.ts";
import { type Boot, CloudInitGuest, type Drive, pveUserData } from "./cloudInitGuest.ts";

const { tool, name: cloudInit } = cloudInitOrSkip();

const config = parsed({
  user: "ops",
  packages: ["htop"],
  runCommands: ["true"],
  writeFiles: [{ path: "/etc/motd", content: "hello" }],
  vendor: { bootcmd: ["true"] },
});
const userData = renderUserData(config, { publicKeys: ["ssh-rsa A"] });
/** A clone of an earlier version of this program, or of a template that was made by hand. */
const plain: Drive = { address: "10.0.0.21", userData, vendorData: renderVendorData(config, { agent: false }) };
/** A clone as it is made now. */
const drive: Drive = { ...plain, vendorData: renderCloneVendorData(config, { agent: false }) };

const INSTANCE = "11111111-2222-3333-4444-555555555555";
const serial = smbiosSerial("web-1.example.net", { instanceId: INSTANCE, network: "aaaaaaaa" });

/** What is done once for each instance. */
const FIRST_BOOT = ["write_files", "users_groups", "ssh", "set_passwords", "package_update_upgrade_install", "runcmd"];
/** What is done at every boot. */
const EVERY_BOOT = ["bootcmd", "growpart", "resizefs", "update_hostname", "update_etc_hosts"];

const addressOf = ({ network }: Boot) =>
  network.map(({ config }) => (config.config[0]?.subnets as { address: string }[] | undefined)?.[0]?.address);

// decisions/0017: which changes a guest that has booted takes over, and whether everything of its first boot is done again.
describe.skipIf(!tool)(`a guest with ${cloudInit} that PVE starts again`, () => {
  const guests: CloudInitGuest[] = [];
  afterEach(() => {
    for (const guest of guests.splice(0)) guest.remove();
  });
  const newGuest = () => {
    if (!tool) throw new Error("skipped without cloud-init");
    const guest = new CloudInitGuest(tool);
    guests.push(guest);
    return guest;
  };

  test("does all of it at its first start, the network before anything is up", () => {
    const first = newGuest().start(drive, serial);
    expect(first.instanceId).toBe(INSTANCE);
    expect(first.modules).toEqual(expect.arrayContaining([...FIRST_BOOT, ...EVERY_BOOT]));
    expect(first.hostname).toEqual(["web-1"]);
    expect(addressOf(first)).toEqual(["10.0.0.21"]);
    expect(first.network[0]?.beforeNetworkIsUp).toBe(true);
  });

  describe("with an instance-id in its serial and the clones' vendor-data", () => {
    test.each<[string, Partial<Drive>]>([
      ["address", { address: "10.0.0.22" }],
      ["name server", { nameserver: "10.0.0.2" }],
      ["search domain", { searchDomain: "other.example" }],
    ])("takes over another %s before the network is up, and does nothing of its first boot again", (_what, change) => {
      const guest = newGuest();
      guest.start(drive, serial);
      const second = guest.start({ ...drive, ...change }, serial);
      const { address, nameserver, searchDomain } = {
        nameserver: "10.0.0.1",
        searchDomain: "example.net",
        ...drive,
        ...change,
      };
      expect(second.instanceId).toBe(INSTANCE);
      expect(addressOf(second)).toEqual([address]);
      expect(second.network[0]).toMatchObject({
        beforeNetworkIsUp: true,
        config: { config: [{}, { type: "nameserver", address: [nameserver], search: [searchDomain] }] },
      });
      for (const module of FIRST_BOOT) expect(second.modules).not.toContain(module);
      expect(second.modules).toEqual(expect.arrayContaining(EVERY_BOOT));
    });

    test("goes on doing so at every further start", () => {
      const guest = newGuest();
      const addresses = ["10.0.0.21", "10.0.0.22", "10.0.0.22", "10.0.0.21"];
      const boots = addresses.map((address) => guest.start({ ...drive, address }, serial));
      expect(boots.map(addressOf)).toEqual(addresses.map((address) => [address]));
      expect(boots.map(({ modules }) => modules.includes("runcmd"))).toEqual([true, false, false, false]);
    });

    test("takes over another host name, and does nothing of its first boot again", () => {
      const guest = newGuest();
      guest.start(drive, serial);
      const second = guest.start(drive, smbiosSerial("web-2", { instanceId: INSTANCE, network: "aaaaaaaa" }));
      expect(second.hostname).toEqual(["web-2"]);
      expect(second.instanceId).toBe(INSTANCE);
      for (const module of FIRST_BOOT) expect(second.modules).not.toContain(module);
    });

    test("makes nothing of what the serial says of the network", () => {
      const guest = newGuest();
      guest.start(drive, serial);
      const second = guest.start(
        drive,
        smbiosSerial("web-1.example.net", { instanceId: INSTANCE, network: "bbbbbbbb" }),
      );
      expect(second).toMatchObject({ instanceId: INSTANCE, hostname: [] });
      for (const module of FIRST_BOOT) expect(second.modules).not.toContain(module);
    });

    test("does not take over other users, keys, packages, files and commands: only a new clone does", () => {
      const guest = newGuest();
      guest.start(drive, serial);
      const other = parsed({
        user: "other",
        packages: ["vim"],
        runCommands: ["false"],
        vendor: { bootcmd: ["false"] },
      });
      const snippets = {
        userData: renderUserData(other, { publicKeys: ["ssh-rsa B"] }),
        vendorData: renderCloneVendorData(other, { agent: false }),
      };
      const second = guest.start({ ...drive, ...snippets }, serial);
      for (const module of FIRST_BOOT) expect(second.modules).not.toContain(module);
    });

    test("is another instance where the serial says so: a clone that is made anew", () => {
      const guest = newGuest();
      guest.start(drive, serial);
      const second = guest.start(drive, smbiosSerial("web-1.example.net", { instanceId: "other" }));
      expect(second.modules).toEqual(expect.arrayContaining(FIRST_BOOT));
    });
  });

  test("with an instance-id, but not the clones' vendor-data, never takes over another address", () => {
    const guest = newGuest();
    guest.start(plain, serial);
    const second = guest.start({ ...plain, address: "10.0.0.22" }, serial);
    expect(second.network).toEqual([]);
    for (const module of FIRST_BOOT) expect(second.modules).not.toContain(module);
  });

  test("keeps its first network where the user's vendor-data says so", () => {
    const own = parsed({ vendor: { updates: { network: { when: ["boot-new-instance"] } } } });
    const vendorData = renderCloneVendorData(own, { agent: false });
    const guest = newGuest();
    guest.start({ ...drive, vendorData }, serial);
    expect(guest.start({ ...drive, vendorData, address: "10.0.0.22" }, serial).network).toEqual([]);
  });

  describe("without an instance-id in its serial, as clones of earlier versions", () => {
    const named = smbiosSerial("web-1.example.net");

    test.each([
      ["the template's", plain],
      ["the clones'", drive],
    ])(
      "takes over another address as a new instance, which does all of its first boot again, with %s vendor-data",
      (_whose, before) => {
        const guest = newGuest();
        const first = guest.start(before, named);
        const second = guest.start({ ...before, address: "10.0.0.22" }, named);
        expect(second.instanceId).not.toBe(first.instanceId);
        expect(addressOf(second)).toEqual(["10.0.0.22"]);
        expect(second.modules).toEqual(expect.arrayContaining([...FIRST_BOOT, ...EVERY_BOOT]));
      },
    );

    test("stays the instance that it is when nothing on the drive changes, and when its name does", () => {
      const guest = newGuest();
      const first = guest.start(plain, named);
      const again = guest.start(plain, named);
      const renamed = guest.start(plain, smbiosSerial("web-2", { network: "bbbbbbbb" }));
      expect([again.instanceId, renamed.instanceId]).toEqual([first.instanceId, first.instanceId]);
      expect(again.network).toEqual([]);
      expect(renamed.hostname).toEqual(["web-2"]);
      for (const module of FIRST_BOOT) expect([...again.modules, ...renamed.modules]).not.toContain(module);
    });

    test("and with user-data that PVE makes, is a new instance for another address and for another name, and not by itself", () => {
      const own: Drive = { address: "10.0.0.21", userData: pveUserData("web-1"), vendorData: "" };
      const guest = newGuest();
      const first = guest.start(own, smbiosSerial("web-1.example.net", { network: "aaaaaaaa" }));
      const again = guest.start(own, smbiosSerial("web-1.example.net", { network: "aaaaaaaa" }));
      const moved = guest.start({ ...own, address: "10.0.0.22" }, smbiosSerial("web-1.example.net", { network: "b" }));
      const renamed = { ...own, address: "10.0.0.22", userData: pveUserData("web-2") };
      const last = guest.start(renamed, smbiosSerial("web-2.example.net", { network: "b" }));
      expect(first.hostname).toEqual(["web-1"]);
      expect(again.instanceId).toBe(first.instanceId);
      expect(again.modules).not.toContain("ssh");
      expect(addressOf(moved)).toEqual(["10.0.0.22"]);
      expect(last.hostname).toEqual(["web-2"]);
      for (const { modules } of [first, moved, last])
        expect(modules).toEqual(expect.arrayContaining(["users_groups", "ssh", "set_passwords"]));
      expect(new Set([first, moved, last].map(({ instanceId }) => instanceId)).size).toBe(3);
    });

    test("that gets one together with another address is a new instance once, and never again", () => {
      const guest = newGuest();
      guest.start(plain, named);
      const second = guest.start({ ...drive, address: "10.0.0.22" }, serial);
      expect(second.modules).toEqual(expect.arrayContaining(FIRST_BOOT));
      const third = guest.start({ ...drive, address: "10.0.0.23" }, serial);
      expect(addressOf(third)).toEqual(["10.0.0.23"]);
      expect(third.modules).not.toContain("runcmd");
    });
  });
});

import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { Params } from "./conformance/replay.ts";
import type { GuestState } from "./control.ts";
import { openProbe, type Probe } from "./probe.ts";

const setupMs = 240_000;
const testMs = 60_000;
const soon = { timeout: 10_000 };
const one = "/nodes/pve1/qemu/700";
const before = "ip=10.0.0.70/24,gw=10.0.0.1";
const after = "ip=10.0.0.99/24,gw=10.0.0.1";
let probe: Probe;

beforeAll(async () => {
  probe = await openProbe();
}, setupMs);

afterAll(() => probe?.close());

afterEach(async () => {
  await probe.lab.control.clearFaults();
  for (const vmid of Object.keys(await probe.lab.control.vms()).map(Number)) {
    if (vmid >= 700 && vmid < 800) await probe.lab.control.deleteVm(vmid);
  }
});

/** A VM with a cloud-init drive, not started yet. */
async function stopped(config: Record<string, string | number> = {}): Promise<void> {
  await probe.lab.control.addVm({
    vmid: 700,
    config: {
      ...{ name: "web-1", agent: "enabled=1", memory: "512", scsi0: "local-lvm:vm-700-disk-0,size=1G" },
      ...{ ide2: "local-lvm:vm-700-cloudinit,media=cdrom", net0: "virtio=BC:24:11:00:07:00,bridge=vmbr0" },
      ...{ ipconfig0: before, ...config },
    },
  });
  await probe.lab.control.guest(700, { agentAfter: 0 });
}

async function power(action: "start" | "stop" | "shutdown"): Promise<void> {
  expect((await probe.run("POST", `${one}/status/${action}`)).exitstatus).toBe("OK");
}

async function running(config: Record<string, string | number> = {}): Promise<void> {
  await stopped(config);
  await power("start");
}

async function restart(): Promise<void> {
  await power("stop");
  await expect.poll(() => probe.run("POST", `${one}/status/start`), soon).toMatchObject({ exitstatus: "OK" });
}

const put = (params: Params): Promise<string> => probe.refusal("PUT", `${one}/config`, params, "root-token");
const drive = () => probe.get<object[]>(`${one}/cloudinit`);
const vm = async () => (await probe.lab.control.vms())["700"];
const guest = async (): Promise<GuestState> => (await vm())?.guest as GuestState;
const dump = (type: string) => probe.get<string>(`${one}/cloudinit/dump`, { type });

async function addresses(): Promise<string[]> {
  const { result } = await probe.get<{ result: { name: string; "ip-addresses": { "ip-address": string }[] }[] }>(
    `${one}/agent/network-get-interfaces`,
  );
  return result.find(({ name }) => name === "eth0")?.["ip-addresses"].map((held) => held["ip-address"]) ?? [];
}

describe("…/cloudinit of a running VM", () => {
  test("never lists a changed ipconfigN, and the config shows it as if it were live", { timeout: testMs }, async () => {
    await running({ ciuser: "ops" });
    expect(await put({ ipconfig0: after })).toBe("");
    expect(await drive()).toEqual([{ key: "ciuser", value: "ops" }]);
    expect(await probe.get(`${one}/config`, { current: 1 })).toMatchObject({ ipconfig0: after });
    expect(await probe.get(`${one}/pending`)).toContainEqual({ key: "ipconfig0", value: after });
    expect(await guest()).toMatchObject({ ipconfigs: { ipconfig0: before } });
    expect(await addresses()).toEqual(["10.0.0.70", "fe80::be24:11ff:fe00:700"]);
  });

  test("lists a name server that was changed, one that was added, and a user that was taken away", {
    timeout: testMs,
  }, async () => {
    await running({ ciuser: "ops", nameserver: "10.0.0.2" });
    await put({ nameserver: "10.0.0.3", searchdomain: "example.net", delete: "ciuser", name: "web-9" });
    expect(await drive()).toEqual([
      { key: "ciuser", delete: 1 },
      { key: "nameserver", value: "10.0.0.2", pending: "10.0.0.3" },
      { key: "searchdomain", pending: "example.net" },
    ]);
    await put({ nameserver: "10.0.0.2", ciuser: "ops", delete: "searchdomain" });
    expect(await drive()).toEqual([
      { key: "ciuser", value: "ops" },
      { key: "nameserver", value: "10.0.0.2" },
    ]);
    expect(await guest()).toMatchObject({ name: "web-1", nameserver: "10.0.0.2", searchdomain: null });
  });

  test("has nothing pending once the drive is written anew; the guest has it after its next boot", {
    timeout: testMs,
  }, async () => {
    await running();
    await put({ nameserver: "10.0.0.3", ipconfig0: after });
    expect(await probe.refusal("PUT", `${one}/cloudinit`)).toBe("");
    expect(await drive()).toEqual([{ key: "nameserver", value: "10.0.0.3" }]);
    expect(await guest()).toMatchObject({ nameserver: null, ipconfigs: { ipconfig0: before } });
    await probe.lab.control.guestReboot(700);
    expect(await guest()).toMatchObject({ boots: 2, nameserver: "10.0.0.3", ipconfigs: { ipconfig0: after } });
  });

  test("a guest that reboots by itself finds the old drive; PVE's reboot writes it anew", {
    timeout: testMs,
  }, async () => {
    await running();
    await put({ ipconfig0: after });
    await probe.lab.control.guestReboot(700);
    expect(await addresses()).toContain("10.0.0.70");
    expect((await probe.run("POST", `${one}/status/reboot`)).exitstatus).toBe("OK");
    await expect.poll(async () => (await guest()).boots, soon).toBe(3);
    expect(await addresses()).toContain("10.0.0.99");
  });

  test("of a stopped one has nothing pending, and with hotplug: cloudinit none either", {
    timeout: testMs,
  }, async () => {
    await stopped({ hotplug: "network,disk,cloudinit" });
    await put({ nameserver: "10.0.0.3" });
    expect(await drive()).toEqual([{ key: "nameserver", value: "10.0.0.3" }]);
    await power("start");
    await put({ nameserver: "10.0.0.4" });
    expect(await drive()).toEqual([{ key: "nameserver", value: "10.0.0.4" }]);
    expect(await guest()).toMatchObject({ nameserver: "10.0.0.3" });
  });
});

describe("the instance of a guest", () => {
  /** `serial=` of smbios1 as PVE takes it. */
  const serial = (text: string): string => `base64=1,serial=${Buffer.from(text).toString("base64")}`;
  const snippet = (name: string, text: string) => probe.lab.control.putFile("local", "snippets", name, text);

  test("is a hash of user-data and network-config: another address is a new one, so everything runs again", {
    timeout: testMs,
  }, async () => {
    await running();
    const first = await guest();
    expect(await dump("meta")).toBe(`instance-id: ${first.instanceId}\n`);
    expect(first).toMatchObject({ instances: 1, boots: 1, name: "web-1" });
    await restart();
    expect(await guest()).toEqual({ ...first, boots: 2 });
    await put({ ipconfig0: after });
    await restart();
    const moved = await guest();
    expect(moved.instanceId).not.toBe(first.instanceId);
    expect(moved).toMatchObject({ instances: 2, ipconfigs: { ipconfig0: after } });
    await put({ ipconfig0: before });
    await restart();
    expect(await guest()).toEqual({ ...first, boots: 4, instances: 2 });
  });

  test("is what a meta snippet says, and then the guest keeps the network of its first boot", {
    timeout: testMs,
  }, async () => {
    await snippet("meta.yaml", "instance-id: web-1-a\nlocal-hostname: from-meta\n");
    await snippet("user.yaml", "#cloud-config\nruncmd: [[true]]\n");
    await running({ cicustom: "meta=local:snippets/meta.yaml,user=local:snippets/user.yaml" });
    await put({ ipconfig0: after });
    await restart();
    expect(await guest()).toMatchObject({
      ...{ instanceId: "web-1-a", instances: 1, boots: 2, name: "from-meta", ipconfigs: { ipconfig0: before } },
    });
    expect(await addresses()).toContain("10.0.0.70");
  });

  test.each([
    ["block style", "updates:\n  network:\n    when:\n      - boot-new-instance\n      - boot\n"],
    ["flow style", 'updates: { network: { when: ["boot-new-instance", "boot"] } }\n'],
  ])(
    "with updates.network.when: boot in its vendor-data takes another network and stays itself (%s)",
    {
      timeout: testMs,
    },
    async (_, updates) => {
      await snippet("vendor.yaml", `#cloud-config\npackages: [nano]\n${updates}runcmd: [[true]]\n`);
      const smbios1 = serial("ds=nocloud;i=web-1-a;h=by-serial");
      await snippet("user.yaml", "#cloud-config\n");
      await running({ cicustom: "vendor=local:snippets/vendor.yaml,user=local:snippets/user.yaml", smbios1 });
      await put({ ipconfig0: after });
      await restart();
      expect(await guest()).toMatchObject({
        ...{ instanceId: "web-1-a", instances: 1, boots: 2, name: "by-serial", ipconfigs: { ipconfig0: after } },
      });
    },
  );

  test("knows of updates.network only from its last boot, so the first change after it is lost", {
    timeout: testMs,
  }, async () => {
    const smbios1 = serial("ds=nocloud;i=web-1-a");
    await snippet("vendor.yaml", "#cloud-config\nupdates: {network: {when: [boot-new-instance]}}\n");
    await running({ cicustom: "vendor=local:snippets/vendor.yaml", smbios1 });
    await snippet("vendor.yaml", "#cloud-config\nupdates: {network: {when: [boot]}}\n");
    await put({ ipconfig0: after });
    await restart();
    expect((await guest()).ipconfigs).toEqual({ ipconfig0: before });
    await restart();
    expect((await guest()).ipconfigs).toEqual({ ipconfig0: after });
  });

  test("a name by SMBIOS serial reaches a guest that stays the same instance", { timeout: testMs }, async () => {
    await snippet("user.yaml", "#cloud-config\n");
    await running({ cicustom: "user=local:snippets/user.yaml", smbios1: serial("ds=nocloud;h=web-1") });
    const first = await guest();
    await put({ smbios1: serial("ds=nocloud;h=web-2") });
    await restart();
    expect(await guest()).toEqual({ ...first, boots: 2, name: "web-2" });
  });

  test("is on the disk: a clone of a guest that has booted remembers it", { timeout: testMs }, async () => {
    await snippet("user.yaml", "#cloud-config\n");
    await running({ cicustom: "user=local:snippets/user.yaml", ipconfig0: "ip=dhcp" });
    await power("stop");
    const { instanceId } = await guest();
    expect((await probe.run("POST", `${one}/clone`, { newid: 701, full: 1 })).exitstatus).toBe("OK");
    expect((await probe.run("POST", "/nodes/pve1/qemu/701/status/start")).exitstatus).toBe("OK");
    const copy = (await probe.lab.control.vms())["701"]?.guest;
    // Its MAC address is another one, and that is in its network-config.
    expect(copy).toMatchObject({ instances: 2, boots: 2 });
    expect(copy?.instanceId).not.toBe(instanceId);
  });
});

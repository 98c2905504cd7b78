import { expect, test, vi } from "vitest";
import { markText } from "../../../../fleet/ownership.ts";
import { ApiError } from "../../../../proxmox/errors.ts";
import type { GuestConfig, GuestEntry } from "../../../../proxmox/guests.ts";
import { addressesOf } from "../../../guest/addresses.ts";
import { fakeConfigs, fakeFacts, fakeFleet, found } from "../../fakeFacts.ts";
import { addressFree } from "./addressFree.ts";

const fleet = fakeFleet({
  cloneSets: {
    web: { template: "noble", clones: [{ name: "w", vmId: 9101, ip: "10.0.0.21/24", ip6: "2001:db8::15/64" }] },
  },
});
const guest = (vmid: number, more: Partial<GuestEntry> = {}): GuestEntry => ({
  vmid,
  node: "pve2",
  type: "qemu",
  name: "nas",
  ...more,
});
const net0 = "virtio=BC:24:11:00:00:01,bridge=vmbr0";
const facts = (guests: GuestEntry[], configs: Record<number, GuestConfig>, more: object = {}) =>
  fakeFacts({ fleet, guests: async () => guests, guestConfig: vi.fn(fakeConfigs(configs)), ...more });

test("the static addresses of VMs and containers", () => {
  expect(
    addressesOf(
      { type: "qemu" },
      { ipconfig0: "ip=10.0.0.5/24,gw=10.0.0.1", ipconfig1: "ip=dhcp", net0: `${net0},tag=7` },
    ),
  ).toEqual([{ host: "10.0.0.5", bridge: "vmbr0", vlan: "7" }]);
  expect(addressesOf({ type: "lxc" }, { net1: "name=eth1,bridge=vmbr1,ip=10.0.0.6/24,ip6=2001:DB8::1/64" })).toEqual([
    { host: "10.0.0.6", bridge: "vmbr1", vlan: "" },
    { host: "2001:db8:0:0:0:0:0:1", bridge: "vmbr1", vlan: "" },
  ]);
  expect(addressesOf({ type: "lxc" }, { net0: "ip=10.0.0.700/24" })).toEqual([]);
});

test("an address of another guest on the same network is refused, on another one it is a warning", async () => {
  const config = { name: "nas", ipconfig0: "ip=10.0.0.21/24", net0 };
  expect(await found(addressFree, facts([guest(100)], { 100: config }))).toEqual([
    'fail cloneSets.web.clones[0].ip: 10.0.0.21 is the address of VM 100 "nas" on node pve2; expected one that nobody has',
  ]);
  const elsewhere = { ...config, net0: `${net0},tag=30` };
  expect((await found(addressFree, facts([guest(100)], { 100: elsewhere })))[0]).toMatch(
    /^warn .*on another network \(vmbr0, VLAN 30\)$/,
  );
});

test("an IPv6 address is known in any spelling, and containers count", async () => {
  const config = { hostname: "dns", net0: "name=eth0,bridge=vmbr0,ip6=2001:DB8:0::15/64" };
  expect((await found(addressFree, facts([guest(101, { type: "lxc" })], { 101: config })))[0]).toMatch(
    /^fail cloneSets\.web\.clones\[0\]\.ip6: .*container 101 "dns"/,
  );
});

test("templates, our own VMs and those that this run deletes are no others", async () => {
  const taken = { ipconfig0: "ip=10.0.0.21/24", net0 };
  const guests = [guest(900, { template: 1 }), guest(9101), guest(9102), guest(9103), guest(150)];
  const ours = (vmid: number, vmId = vmid) => ({
    ...taken,
    description: markText({ fleetId: "f1ee7000", stack: "o/p/dev", resource: "cloneSets.web", vmId, content: "a" }),
  });
  // 9102 was there at the last run, 9103 before that.
  const one = facts(
    guests,
    { 900: taken, 9101: taken, 9102: taken, 9103: ours(9103) },
    { knownVmIds: new Set([9102]) },
  );
  expect(await found(addressFree, one)).toEqual(["pass 2 addresses are in no other guest's config"]);
  expect(one.guestConfig).toHaveBeenCalledTimes(2);
  // A clone that somebody has made of one of ours has its tag, its mark and its address.
  const copy = facts([guest(150, { name: "copy", tags: "fleet-f1ee7000" })], {
    150: { ...ours(150, 9101), name: "copy" },
  });
  expect((await found(addressFree, copy))[0]).toMatch(/^fail .* is the address of VM 150 "copy"/);
});

test("once everything exists with the same addresses nobody is asked", async () => {
  const guests = [guest(100), guest(9000, { tags: "fleet-f1ee7000" }), guest(9101, { tags: "fleet-f1ee7000" })];
  const settled = facts(guests, {}, { knownVmIds: new Set([9000, 9101]), claimsUnchanged: true });
  expect(await found(addressFree, settled)).toEqual(["pass no new address since the last run"]);
  expect(settled.guestConfig).not.toHaveBeenCalled();
  await addressFree.run({ ...settled, claimsUnchanged: false });
  expect(settled.guestConfig).toHaveBeenCalledTimes(1);
});

test("of very many guests a hundred are looked at, running ones first, and that is said", async () => {
  const guests = Array.from({ length: 250 }, (_, index) =>
    guest(100 + index, { status: index >= 200 ? "running" : "stopped" }),
  );
  const one = facts(guests, { 349: { ipconfig0: "ip=10.0.0.21/24", net0 } });
  const lines = await found(addressFree, one);
  expect(one.guestConfig).toHaveBeenCalledTimes(100);
  expect(lines[0]).toMatch(/^fail .*VM 349/);
  expect(lines[1]).toBe("warn not looked at: 150 guests more than the first 100; they may have one of these addresses");
});

test("guests that cannot be looked at do not stop the run: it is said where they are", async () => {
  const guests = [guest(100), guest(101, { node: "pve3" }), guest(102, { node: "pve3" }), guest(103), guest(104)];
  const guestConfig = async ({ vmid }: GuestEntry) => {
    if (vmid === 104) throw new ApiError("GET /nodes/pve2/qemu/104/config", 500, "unable to parse value");
    return vmid === 103 ? "unreachable" : {};
  };
  const nodes = async () => [
    { node: "pve2", status: "online" as const },
    { node: "pve3", status: "offline" as const },
  ];
  const one = facts(guests, {}, { guestConfig: vi.fn(guestConfig), nodes });
  expect(await found(addressFree, one)).toEqual([
    "warn not looked at: 1 guest on node pve2, which does not answer, 1 guest on node pve2, where PVE says: unable to parse value and 2 guests on node pve3, which does not answer; they may have one of these addresses",
  ]);
  // A node that is known to be down is not asked.
  expect(one.guestConfig).toHaveBeenCalledTimes(3);
});

test("an address that was chosen from a range is told with the range", async () => {
  const { web } = fleet.cloneSets;
  const clones = web?.clones.map((clone) => ({ ...clone, from: { ip: "cloneSets.web.ips" } })) ?? [];
  const ranged = { ...fleet, cloneSets: web ? { web: { ...web, clones } } : {} };
  const config = { name: "nas", ipconfig0: "ip=10.0.0.21/24,ip6=2001:db8::15/64", net0 };
  const lines = await addressFree.run(facts([guest(105)], { 105: config }, { fleet: ranged }));
  expect(lines.map(({ path }) => path)).toEqual(["cloneSets.web.ips", "cloneSets.web.clones[0].ip6"]);
});

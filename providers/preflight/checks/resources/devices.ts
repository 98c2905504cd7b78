import { didYouMean, list } from "../../../../config/text.ts";
import type { Mapping, MappingKind } from "../../../../proxmox/cluster.ts";
import type { GuestConfig, GuestEntry } from "../../../../proxmox/guests.ts";
import { privilegesOn } from "../../../../proxmox/permissions.ts";
import { parseProperties } from "../../../../proxmox/propertyString.ts";
import { devicesOf, mappingUses } from "../../deviceNeeds.ts";
import { type Check, each, type Finding, fail, orPass, pass, skip, warn } from "../../finding.ts";
import { clonesOf, distinct, type SetClone } from "../../needs.ts";
import { isSettled, otherGuests } from "../../otherGuests.ts";

const KINDS = { pci: "PCI", usb: "USB" };

/** The addresses that a mapping has on a node: of a USB device by its port, or by its make. */
export function devicesOn({ map }: Mapping, node: string): string[] {
  return map.flatMap((entry) => {
    const parts = parseProperties(entry);
    return parts.get("node") === node ? [parts.get("path") ?? parts.get("id") ?? ""] : [];
  });
}

/** Every mapping of the config exists, has a device on its node, and the device is the one that was mapped. */
export const deviceMapping: Check = {
  id: "device-mapping",
  group: "resources",
  async run(facts) {
    const uses = mappingUses(facts.fleet);
    if (uses.length === 0) return [];
    const problems = await each(uses, async ({ kind, node, mapping, path }): Promise<Finding[]> => {
      const all = await facts.mappings(node, kind);
      const found = all.find(({ id }) => id === mapping);
      if (!found) {
        const acl = `/mapping/${kind}/${mapping}`;
        if (!privilegesOn(await facts.permissions(), acl).has("Mapping.Use"))
          return [
            skip(`mapping ${mapping} cannot be seen without Mapping.Use on ${acl}, see privileges`, {
              path,
            }),
          ];
        const known = all.map(({ id }) => id).sort();
        const meant = didYouMean(mapping, known);
        return [
          fail(
            `found "${mapping}", but the cluster has no such ${KINDS[kind]} mapping; ${meant ? `did you mean "${meant}"?` : `expected one of ${known.join(", ") || "(there is none)"}`}`,
            { path, todo: ["Make it in the web interface: Datacenter > Resource Mappings."] },
          ),
        ];
      }
      if (devicesOn(found, node).length === 0) {
        const nodes = [...new Set(found.map.map((entry) => parseProperties(entry).get("node") ?? "?"))].sort();
        return [fail(`mapping ${mapping} has no device on node ${node}, only on ${list(nodes)}`, { path })];
      }
      const wrong = [...(found.checks ?? []), ...(found.errors ?? [])].filter(({ severity }) => severity === "error");
      return wrong.map(({ message }) =>
        fail(`PVE says of mapping ${mapping} on node ${node}: ${message.trim()}`, { path }),
      );
    });
    return orPass(problems, "every mapping has its device");
  },
};

/** Whether a VM's config holds one of the devices: by the mapping, or by its address. */
export function holdsDevice(
  config: GuestConfig,
  kind: MappingKind,
  mapping: string,
  devices: readonly string[],
): boolean {
  const option = kind === "pci" ? /^hostpci\d+$/ : /^usb\d+$/;
  return Object.entries(config).some(([key, value]) => {
    if (!option.test(key)) return false;
    const parts = parseProperties(value);
    if (parts.get("mapping") === mapping) return true;
    if (kind === "usb") return devices.includes(parts.get("host") ?? parts.get("") ?? "");
    const addresses = (parts.get("") ?? parts.get("host") ?? "").split(";").filter(Boolean);
    const full = (address: string) => (/^[0-9a-f]{4}:/i.test(address) ? address : `0000:${address}`);
    return addresses.some((address) =>
      devices.some((device) => device === full(address) || device.startsWith(`${full(address)}.`)),
    );
  });
}

const name = ({ vmid, name: own }: GuestEntry) => `VM ${vmid} "${own ?? ""}"`;

/** There is a free device for every clone that is to be started. */
export const deviceFree: Check = {
  id: "device-free",
  group: "resources",
  async run(facts) {
    const all = mappingUses(facts.fleet).filter(({ shared }) => !shared);
    if (all.length === 0) return [];
    if (await isSettled(facts)) return [pass("no new device since the last run")];
    const problems = await each(
      distinct(all, ({ kind, node, mapping }) => `${kind} ${node} ${mapping}`),
      async ({ kind, node, mapping, path }): Promise<Finding[]> => {
        const found = (await facts.mappings(node, kind)).find(({ id }) => id === mapping);
        const devices = found ? devicesOn(found, node) : [];
        // That there is none is told by device-mapping.
        if (devices.length === 0) return [];
        const uses = (one: SetClone) =>
          devicesOf(one).filter((use) => use.kind === kind && use.mapping === mapping).length;
        const started = clonesOf(facts.fleet).filter((one) => one.set.start && one.node === node && uses(one) > 0);
        const wanted = started.reduce((sum, one) => sum + uses(one), 0);
        const { guests, unread } = await otherGuests(
          facts,
          (guest) => guest.type === "qemu" && guest.node === node && guest.status === "running",
        );
        const holders = guests
          .filter(({ config }) => holdsDevice(config, kind, mapping, devices))
          .map(({ guest }) => name(guest));
        // A template never runs, but clones that it will have need the device.
        const enough = wanted === 0 ? holders.length < devices.length : wanted + holders.length <= devices.length;
        if (enough)
          return unread.length === 0
            ? []
            : [warn(`not looked at: ${list(unread)}; they may use mapping ${mapping}`, { path })];
        const taken = holders.length > 0 ? `; ${list(holders)} ${holders.length === 1 ? "uses" : "use"} it now` : "";
        const text = `mapping ${mapping} has ${devices.length} device${devices.length === 1 ? "" : "s"} on node ${node}, and ${wanted} clone${wanted === 1 ? " is" : "s are"} to be started with it${taken}`;
        // Where a clone is put is decided when it is made: here it is counted on its nodes in turn.
        if (wanted === 0 || started.some(({ nodes }) => nodes.length > 1)) return [warn(text, { path })];
        const sets = [...new Set(started.map(({ key }) => key))];
        return [
          fail(text, {
            path,
            todo: [
              `Stop those VMs, make fewer clones, or set cloneSets.${sets[0]}.start: false and start one at a time.`,
            ],
          }),
        ];
      },
    );
    return orPass(problems, "there is a device for every clone");
  },
};

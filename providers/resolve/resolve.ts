import type { CloneSource } from "../../config/fleet.ts";
import type { LoadedConfig } from "../../config/load.ts";
import type { Problem } from "../../config/problem.ts";
import type { Open, Resolved } from "../../config/resolved.ts";
import { addressedOf, hostOf } from "../../config/rules/addresses.ts";
import { vmIdsOf } from "../../config/rules/vmIds.ts";
import { ownerOf } from "../../fleet/ownership.ts";
import type { PveClient } from "../../proxmox/client.ts";
import { isVmIdTaken, readPermissions } from "../../proxmox/cluster.ts";
import { type GuestEntry, listGuests, readConfig } from "../../proxmox/guests.ts";
import { privilegesOn } from "../../proxmox/permissions.ts";
import { readUsedAddresses } from "../guest/usedAddresses.ts";
import { choose, type Taken } from "./choose.ts";
import { existingTemplates } from "./existing.ts";
import { finder, hasNow, nameKey, type Past } from "./past.ts";

/** Whether a VMID has a guest, be it one that the login may not see. */
async function vmIdLookup(client: PveClient, guests: readonly GuestEntry[]): Promise<Taken["isVmIdTaken"]> {
  const seen = new Set(guests.map(({ vmid }) => vmid));
  const permissions = await readPermissions(client);
  return async (vmId) => {
    if (seen.has(vmId)) return true;
    return !privilegesOn(permissions, `/vms/${vmId}`).has("VM.Audit") && (await isVmIdTaken(client, vmId));
  };
}

/**
 * Whether somebody else's VM stands on a VMID that was chosen in a run which did not finish. PVE writes the mark when the clone is
 * done: a VM that is being cloned counts as the one that was begun.
 */
const foreignLookup =
  (client: PveClient, guests: readonly GuestEntry[], { fleetId }: Past, isTaken: Taken["isVmIdTaken"]) =>
  async (vmId: number): Promise<boolean> => {
    const guest = guests.find(({ vmid }) => vmid === vmId);
    if (!guest) return isTaken(vmId);
    const config = guest.type === "qemu" ? await readConfig(client, guest.node, vmId) : {};
    if (!config || config.lock === "clone") return false;
    return fleetId === undefined || ownerOf(config.description, vmId, fleetId) !== "ours";
  };

/** VMIDs of clones that go on: what addresses their guests have is theirs. One without a static address may have any. */
function goingOn({ sets }: Open, past: Past): Set<number> {
  return new Set(
    Object.entries(sets).flatMap(([key, { clones }]) => {
      const find = finder(key, past);
      return clones.flatMap((clone) => {
        const { now, remembered } = find(clone);
        const had = now ? hasNow(now) : remembered;
        return had?.vmId !== undefined && (had.ip ?? had.ip6) !== undefined ? [had.vmId] : [];
      });
    }),
  );
}

/** Addresses that the config itself gives to something, gateways and name servers among them. */
function inConfig(config: LoadedConfig): string[] {
  const sources: CloneSource[] = Object.values(config.templates);
  const servers = [config.cluster?.network.dns, ...sources.map(({ cloudInit }) => cloudInit.dns)].flatMap(
    (dns) => dns?.servers ?? [],
  );
  const own = Object.values(config.open?.sets ?? {}).flatMap(({ clones }) =>
    clones.flatMap(({ ip, ip6 }) => [ip, ip6]),
  );
  const all = addressedOf(config).flatMap(({ ip, ip6, gateway, gateway6 }) => [ip, ip6, gateway, gateway6]);
  return [...servers, ...own, ...all].flatMap((one) => (one && /[.:]/.test(one) ? [hostOf(one)] : []));
}

/** The keys of templates of which no clone has to be made: each clone of their sets is in the state. */
function onlyCloned({ open, cloneSets }: LoadedConfig & { open: Open }, { clones }: Past): (key: string) => boolean {
  const there = new Set(clones.flatMap(({ name }) => (name === undefined ? [] : [nameKey(name)])));
  return (key) =>
    Object.entries(cloneSets)
      .filter(([, set]) => set.template === key)
      .flatMap(([name, set]) => [...set.clones, ...(open.sets[name]?.clones ?? [])])
      .every(({ name }) => there.has(nameKey(name)));
}

/**
 * Finds on the cluster what the config leaves to it.
 *
 * @param config as it is without that
 */
export async function resolve(
  client: PveClient,
  config: LoadedConfig & { open: Open },
  past: Past,
): Promise<{ resolved: Resolved; problems: Problem[] }> {
  const { open } = config;
  const guests = await listGuests(client);
  const isDone = onlyCloned(config, past);
  const last = Object.fromEntries(Object.entries(past.existing).filter(([key]) => isDone(key)));
  const found = await existingTemplates(client, open.existing, guests, last);
  const existing = Object.keys(found.existing).length > 0 && { existing: found.existing };
  if (Object.keys(open.sets).length === 0) return { resolved: { ...existing }, problems: found.problems };
  const isTaken = await vmIdLookup(client, guests);
  const configured = new Set(vmIdsOf(config).map(({ vmId }) => vmId));
  const own = goingOn(open, past);
  let hosts: Promise<ReadonlySet<string>> | undefined;
  const usedHosts = async () => {
    const { used } = await readUsedAddresses(client, { isOther: ({ vmid }) => !own.has(vmid) });
    return new Set([...inConfig(config), ...used.map(({ address }) => address)]);
  };
  const { chosen, problems } = await choose(open.sets, past, {
    isVmIdTaken: async (vmId) => configured.has(vmId) || (await isTaken(vmId)),
    isForeign: foreignLookup(client, guests, past, isTaken),
    hosts: () => (hosts ??= usedHosts()),
  });
  return { resolved: { ...existing, chosen }, problems: [...found.problems, ...problems] };
}

import type { LoadedConfig } from "../../config/load.ts";
import type { Problem } from "../../config/problem.ts";
import type { Choices, Open, Resolved } from "../../config/resolved.ts";
import { addressedOf, hostOf } from "../../config/rules/addresses.ts";
import { vmIdsOf } from "../../config/rules/vmIds.ts";
import type { PveClient } from "../../proxmox/client.ts";
import { isVmIdTaken, readPermissions } from "../../proxmox/cluster.ts";
import { type GuestEntry, listGuests } from "../../proxmox/guests.ts";
import { privilegesOn } from "../../proxmox/permissions.ts";
import { readUsedAddresses } from "../guest/usedAddresses.ts";
import { choose, type Taken } from "./choose.ts";
import { existingTemplates } from "./existing.ts";

/** Whether a VMID has a guest, be it one that the login may not see. */
async function vmIdLookup(client: PveClient, guests: readonly GuestEntry[]): Promise<Taken["isVmIdTaken"]> {
  const seen = new Set(guests.map(({ vmid }) => vmid));
  const permissions = await readPermissions(client);
  return async (vmId) => {
    if (seen.has(vmId)) return true;
    return !privilegesOn(permissions, `/vms/${vmId}`).has("VM.Audit") && (await isVmIdTaken(client, vmId));
  };
}

/** Whether a clone of the sets still has to get an address. */
const needsAddress = (sets: Open["sets"], before: Choices): boolean =>
  Object.entries(sets).some(([key, { clones, ips, ip6s, isClosed }]) =>
    clones.some(({ name, ip, ip6 }) => {
      const had = before[key]?.[name];
      const lacks = (ips && !ip && !had?.ip) || (ip6s && !ip6 && !had?.ip6);
      return !isClosed && Boolean(lacks);
    }),
  );

/**
 * Finds on the cluster what the config leaves to it.
 *
 * @param config as it is without that
 * @param before what clones were given from ranges in earlier runs
 */
export async function resolve(
  client: PveClient,
  config: LoadedConfig & { open: Open },
  before: Choices,
): Promise<{ resolved: Resolved; problems: Problem[] }> {
  const { open } = config;
  const guests = await listGuests(client);
  const found = await existingTemplates(client, open.existing, guests);
  if (Object.keys(open.sets).length === 0) return { resolved: { existing: found.existing }, problems: found.problems };
  const given = new Set(Object.values(before).flatMap((set) => Object.values(set).flatMap(({ vmId }) => vmId ?? [])));
  const isTaken = await vmIdLookup(client, guests);
  const configured = new Set(vmIdsOf(config).map(({ vmId }) => vmId));
  const inConfig = addressedOf(config).flatMap(({ ip, ip6 }) => [ip, ip6].filter((one) => one?.includes("/")));
  const isOther = ({ vmid }: GuestEntry) => !given.has(vmid) && !configured.has(vmid);
  const { used } = needsAddress(open.sets, before) ? await readUsedAddresses(client, { isOther }) : { used: [] };
  const { chosen, problems } = await choose(open.sets, before, {
    isVmIdTaken: async (vmId) => configured.has(vmId) || (await isTaken(vmId)),
    hosts: new Set([...inConfig.map((cidr) => hostOf(cidr ?? "")), ...used.map(({ address }) => address)]),
  });
  return { resolved: { existing: found.existing, chosen }, problems: [...found.problems, ...problems] };
}

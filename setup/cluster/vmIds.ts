import pLimit from "p-limit";
import type { PveClient } from "../../proxmox/client.ts";
import { isVmIdTaken, readPermissions } from "../../proxmox/cluster.ts";
import { listGuests } from "../../proxmox/guests.ts";
import { privilegesOn } from "../../proxmox/permissions.ts";
import { parseProperties } from "../../proxmox/propertyString.ts";
import { SetupError } from "./error.ts";
import { ifAllowed } from "./nodes.ts";

export interface VmIdBlock {
  /** The first of them. */
  first: number;
  count: number;
}

/** VMIDs for a new stack. */
export interface FreeVmIds {
  template: number;
  clones: VmIdBlock;
  /**
   * The range that the cluster gives VMIDs from (Datacenter > Options > Next Free VMID Range), if it was set; both are in it.
   */
  range?: { lower: number; upper: number };
}

const LOWEST = 100;
const HIGHEST = 999_999_999;
/** Where people look for templates by habit; below are the VMIDs that PVE gives by itself. */
const START = 9000;
/** Hundreds that are tried from there on. */
const HUNDREDS = 1000;
/** Requests at a time. */
const AT_A_TIME = 8;

type Range = NonNullable<FreeVmIds["range"]>;

/** Undefined if it was not set, or the login may not see it (Sys.Audit on /). */
async function rangeOf(client: PveClient): Promise<Range | undefined> {
  const options = await ifAllowed(client.get<{ "next-id"?: unknown }>("/cluster/options"));
  const given = options?.["next-id"];
  if (given === undefined || given === null) return undefined;
  const values = typeof given === "object" ? new Map(Object.entries(given)) : parseProperties(given);
  const { lower = LOWEST, upper = 1_000_000 } = Object.fromEntries(
    [...values].map(([key, value]) => [key, Number(value)]),
  ) as Partial<Range>;
  // PVE's upper bound is not in its range.
  return { lower, upper: upper - 1 };
}

/** Whether the login sees every guest, so that what is not in the list is free. */
async function seesAll(client: PveClient): Promise<boolean> {
  return privilegesOn(await readPermissions(client), "/vms").has("VM.Audit");
}

/** Those of some VMIDs that are taken, also by guests that the login cannot see. */
export async function takenVmIds(client: PveClient, vmIds: readonly number[]): Promise<number[]> {
  const [guests, all] = await Promise.all([listGuests(client), seesAll(client)]);
  const listed = new Set(guests.map(({ vmid }) => vmid));
  const limit = pLimit(AT_A_TIME);
  const taken = await Promise.all(
    vmIds.map((vmId) => listed.has(vmId) || (all ? false : limit(() => isVmIdTaken(client, vmId)))),
  );
  return vmIds.filter((_, index) => taken[index]);
}

const sequence = (first: number, count: number) => Array.from({ length: count }, (_, index) => first + index);

/** Where template and clones could be: at round numbers with nothing else around, then one after the other. */
function* places(clones: number, { lower, upper }: Range, taken: ReadonlySet<number>) {
  const span = 100 + Math.ceil(Math.max(clones, 1) / 100) * 100;
  const round = (from: number, hundreds: number) => sequence(0, hundreds).map((n) => from + n * 100);
  const starts = [
    ...round(START, HUNDREDS),
    ...round(LOWEST, (START - LOWEST) / 100),
    ...round(Math.ceil(lower / 100) * 100, 100),
  ];
  for (const template of starts) {
    if (template < lower || template + 100 + clones > upper) continue;
    if (sequence(template, span).some((vmId) => taken.has(vmId))) continue;
    yield { template, first: template + 101 };
  }
  // In a row; after each one that is taken, and at the beginning.
  const after = [...taken].map((vmId) => vmId + 1).filter((vmId) => vmId > lower && vmId <= upper);
  for (const template of [lower, ...after.sort((a, b) => a - b)]) {
    if (template + clones > upper || sequence(template, clones + 1).some((vmId) => taken.has(vmId))) continue;
    yield { template, first: template + 1 };
  }
}

/**
 * A free VMID for a template at a round number (9000, 9100, …), and a free block for clones from the next round one on (9101),
 * both inside the cluster's range. Guests that the login cannot see are found as well.
 *
 * @param clones how many
 * @throws SetupError `none` if there is no room for so many
 */
export async function findFreeVmIds(client: PveClient, clones: number): Promise<FreeVmIds> {
  const [guests, range, all] = await Promise.all([listGuests(client), rangeOf(client), seesAll(client)]);
  const within = range ?? { lower: LOWEST, upper: HIGHEST };
  const taken = new Set(guests.map(({ vmid }) => vmid));
  const limit = pLimit(AT_A_TIME);
  for (const { template, first } of places(clones, within, taken)) {
    const wanted = [template, ...sequence(first, clones)];
    // Meanwhile hidden guests may have been found.
    if (wanted.some((vmId) => taken.has(vmId))) continue;
    const hidden = all
      ? []
      : await Promise.all(wanted.map((vmId) => limit(async () => ((await isVmIdTaken(client, vmId)) ? [vmId] : []))));
    for (const vmId of hidden.flat()) taken.add(vmId);
    if (hidden.flat().length === 0) return { template, clones: { first, count: clones }, ...(range && { range }) };
  }
  const { lower, upper } = within;
  throw new SetupError(
    "none",
    `there are no ${clones + 1} free VMIDs in a row from ${lower} to ${upper}, for a template and ${clones} ${clones === 1 ? "clone" : "clones"}`,
    range
      ? ["Widen the range: Datacenter > Options > Next Free VMID Range. Or choose fewer clones, or VMIDs of your own."]
      : ["Choose fewer clones, or VMIDs of your own."],
  );
}

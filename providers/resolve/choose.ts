import { parseRange } from "../../config/addressRange.ts";
import type { Problem } from "../../config/problem.ts";
import type { Choices, Chosen, OpenSet } from "../../config/resolved.ts";
import { hostOf } from "../../config/rules/addresses.ts";
import { parseVmIds } from "../../config/vmIdRange.ts";
import { finder, hasNow, type Past } from "./past.ts";

/** What is taken by others, be it in the config or on the cluster. */
export interface Taken {
  isVmIdTaken(vmId: number): Promise<boolean>;
  /** Whether a VM that stands on a VMID which was chosen in an earlier run is not the clone that it was chosen for. */
  isForeign(vmId: number): Promise<boolean>;
  /** Addresses without prefix. It asks the cluster, and so only where an address has to be chosen. */
  hosts(): Promise<ReadonlySet<string>>;
}

/** What a clone can be given, with the range of its set that it comes from. */
interface Kind {
  field: "vmId" | "ip" | "ip6";
  range: "vmIds" | "ips" | "ip6s";
  what: string;
  values(text: string): Generator<string>;
  /** A value that a clone had, as one of the range; undefined: the range does not have it. */
  keep(text: string, value: string): string | undefined;
  /** By which a value is known, however it is written. */
  idOf(value: string): string;
}

/** IPv4 subnets have a first and a last address that no host has. */
function isForHosts(cidr: string): boolean {
  const [address = "", prefix] = cidr.split("/");
  if (address.includes(":") || Number(prefix) >= 31) return true;
  const size = 2 ** (32 - Number(prefix));
  const host = address.split(".").reduce((sum, byte) => sum * 256 + Number(byte), 0) % size;
  return host !== 0 && host !== size - 1;
}

const addresses = (field: "ip" | "ip6", range: "ips" | "ip6s", family: "ipv4" | "ipv6"): Kind => ({
  field,
  range,
  what: "addresses",
  *values(text) {
    const all = parseRange(text, family);
    for (let index = 0; all && index < all.size; index++) if (isForHosts(all.at(index))) yield all.at(index);
  },
  keep: (text, value) => parseRange(text, family)?.asOneOf(value),
  idOf: hostOf,
});

const KINDS: readonly Kind[] = [
  {
    field: "vmId",
    range: "vmIds",
    what: "VMIDs",
    *values(text) {
      const { first, last } = parseVmIds(text) ?? { first: 1, last: 0 };
      for (let vmId = first; vmId <= last; vmId++) yield String(vmId);
    },
    keep(text, value) {
      const { first, last } = parseVmIds(text) ?? { first: 1, last: 0 };
      return Number(value) >= first && Number(value) <= last ? value : undefined;
    },
    idOf: (value) => value,
  },
  addresses("ip", "ips", "ipv4"),
  addresses("ip6", "ip6s", "ipv6"),
];

/** The next value that nobody has. */
async function next(values: Generator<string>, isFree: (value: string) => Promise<boolean>) {
  // Not `for of`, which would end the range for the clones after this one.
  for (let one = values.next(); !one.done; one = values.next()) if (await isFree(one.value)) return one.value;
  return undefined;
}

/** What a clone was before, in one field: what its VM has, and what it was given. */
interface Had {
  now?: string | undefined;
  remembered?: string | undefined;
}

/**
 * What the clones of some sets get from their ranges: what their VMs have, or else what they were given in an earlier run, where the
 * range still has it; else the first that is free.
 */
export async function choose(
  sets: Readonly<Record<string, OpenSet>>,
  past: Past,
  taken: Taken,
): Promise<{ chosen: Choices; problems: Problem[] }> {
  const chosen: Choices = {};
  const problems: Problem[] = [];
  const all = Object.entries(sets).map(([key, set]) => {
    const find = finder(key, past);
    return { key, set, clones: set.clones.map((clone) => ({ clone, before: find(clone) })) };
  });
  const reserved = new Set(all.flatMap(({ set }) => set.reserved));
  const inState = past.clones.map(hasNow);
  for (const kind of KINDS) {
    const { field, range, what, idOf } = kind;
    const textOf = (one: Chosen | undefined) => (one?.[field] === undefined ? undefined : String(one[field]));
    // What a VM of ours has is given to no other clone, not even while that VM is being deleted.
    const used = new Set(inState.flatMap((one) => textOf(one) ?? []).map(idOf));
    for (const { set } of all) for (const clone of set.clones) used.add(idOf(textOf(clone) ?? "0"));
    const isTaken = async (value: string): Promise<boolean> =>
      field === "vmId" ? taken.isVmIdTaken(Number(value)) : (await taken.hosts()).has(idOf(value));
    const isFree = async (value: string): Promise<boolean> =>
      !used.has(idOf(value)) && !(field !== "vmId" && reserved.has(idOf(value))) && !(await isTaken(value));
    /** What the clone keeps. What it was given and no VM has yet may have become somebody else's. */
    const kept = async (text: string, { now, remembered }: Had): Promise<string | undefined> => {
      const own = now === undefined ? undefined : kind.keep(text, now);
      if (own !== undefined || remembered === undefined) return own;
      const given = kind.keep(text, remembered);
      if (given === undefined || used.has(idOf(given))) return undefined;
      const isLost = field === "vmId" ? await taken.isForeign(Number(given)) : await isTaken(given);
      return isLost ? undefined : given;
    };
    const put = (key: string, { name, n }: OpenSet["clones"][number], value: string) => {
      used.add(idOf(value));
      chosen[key] ??= {};
      chosen[key][name] = {
        ...chosen[key][name],
        [field]: field === "vmId" ? Number(value) : value,
        ...(n !== undefined && { n }),
      };
    };
    // What clones keep comes first, so that no other one gets it.
    const without = new Map<string, OpenSet["clones"]>();
    for (const { key, set, clones } of all) {
      const text = set[range];
      if (text === undefined) continue;
      for (const { clone, before } of clones.filter((one) => one.clone[field] === undefined)) {
        const now = before.now && textOf(hasNow(before.now));
        const value = await kept(text, { now, remembered: textOf(before.remembered) });
        if (value !== undefined) put(key, clone, value);
        else if (!set.makesNone) without.set(key, [...(without.get(key) ?? []), clone]);
      }
    }
    for (const { key, set } of all) {
      const text = set[range] ?? "";
      const values = kind.values(text);
      let lacking = 0;
      for (const clone of without.get(key) ?? []) {
        const value = await next(values, isFree);
        if (value === undefined) lacking++;
        else put(key, clone, value);
      }
      if (lacking > 0) {
        const message = `found ${text}, which has too few free ${what}: ${lacking} more ${lacking === 1 ? "clone needs" : "clones need"} one; expected a larger range`;
        problems.push({ path: `${set.path}.${range}`, message });
      }
    }
  }
  return { chosen, problems };
}

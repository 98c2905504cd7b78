import { parseRange } from "../../config/addressRange.ts";
import type { Problem } from "../../config/problem.ts";
import type { Choices, Chosen, OpenSet } from "../../config/resolved.ts";
import { hostOf } from "../../config/rules/addresses.ts";
import { parseVmIds } from "../../config/vmIdRange.ts";

/** What is taken by others, be it in the config or on the cluster. */
export interface Taken {
  isVmIdTaken(vmId: number): Promise<boolean>;
  /** Addresses without prefix. */
  hosts: ReadonlySet<string>;
}

/** What a clone can be given, with the range of its set that it comes from. */
interface Kind {
  field: "vmId" | "ip" | "ip6";
  range: "vmIds" | "ips" | "ip6s";
  what: string;
  values(text: string): Generator<string>;
  includes(text: string, value: string): boolean;
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
  includes: (text, value) => parseRange(text, family)?.includes(value) ?? false,
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
    includes(text, value) {
      const { first, last } = parseVmIds(text) ?? { first: 1, last: 0 };
      return Number(value) >= first && Number(value) <= last;
    },
    idOf: (value) => value,
  },
  addresses("ip", "ips", "ipv4"),
  addresses("ip6", "ip6s", "ipv6"),
];

/**
 * What the clones of a set were given before: by their names, which no two clones of a fleet have, whichever set they were in; or in
 * turn, where a counted set has got another pattern.
 */
function givenBefore(key: string, { clones, isCounted }: OpenSet, before: Readonly<Choices>): Map<string, Chosen> {
  const byName = new Map(Object.values(before).flatMap((set) => Object.entries(set)));
  const pairs = clones.flatMap(({ name }): [string, Chosen][] => {
    const had = byName.get(name);
    return had ? [[name, had]] : [];
  });
  if (pairs.length > 0 || !isCounted) return new Map(pairs);
  const olds = Object.values(before[key] ?? {});
  return new Map(
    clones.flatMap(({ name }, index): [string, Chosen][] => {
      const had = olds[index];
      return had ? [[name, had]] : [];
    }),
  );
}

/** The next value that nobody has. */
async function next(values: Generator<string>, isFree: (value: string) => Promise<boolean>) {
  // Not `for of`, which would end the range for the clones after this one.
  for (let one = values.next(); !one.done; one = values.next()) if (await isFree(one.value)) return one.value;
  return undefined;
}

/**
 * What the clones of some sets get from their ranges: what they had before, where the range still has it; else the first that is
 * free.
 *
 * @param before what was given before
 */
export async function choose(
  sets: Readonly<Record<string, OpenSet>>,
  before: Readonly<Choices>,
  taken: Taken,
): Promise<{ chosen: Choices; problems: Problem[] }> {
  const chosen: Choices = {};
  const problems: Problem[] = [];
  const all = Object.entries(sets).map(([key, set]) => ({ key, set, had: givenBefore(key, set, before) }));
  for (const kind of KINDS) {
    const { field, range, what, idOf } = kind;
    const oldOf = ({ had }: { had: Map<string, Chosen> }, name: string): string | undefined => {
      const old = had.get(name)?.[field];
      return old === undefined ? undefined : String(old);
    };
    // What a clone had is not given to another one, whichever comes first.
    const used = new Set(all.flatMap((one) => one.set.clones.flatMap(({ name }) => oldOf(one, name) ?? [])).map(idOf));
    for (const one of all) {
      const { key, set } = one;
      const text = set[range];
      if (text === undefined) continue;
      const isFree = async (value: string): Promise<boolean> => {
        if (used.has(idOf(value)) || set.reserved.includes(idOf(value))) return false;
        return field === "vmId" ? !(await taken.isVmIdTaken(Number(value))) : !taken.hosts.has(idOf(value));
      };
      const values = kind.values(text);
      let lacking = 0;
      for (const { name } of set.clones.filter((clone) => clone[field] === undefined)) {
        const old = oldOf(one, name);
        const isKept = old !== undefined && kind.includes(text, old);
        if (!isKept && set.isClosed) continue;
        const value = isKept ? old : await next(values, isFree);
        if (value === undefined) lacking++;
        else {
          used.add(idOf(value));
          chosen[key] ??= {};
          chosen[key][name] = { ...chosen[key][name], [field]: field === "vmId" ? Number(value) : value };
        }
      }
      if (lacking > 0) {
        const message = `found ${text}, which has too few free ${what}: ${lacking} more ${lacking === 1 ? "clone needs" : "clones need"} one; expected a larger range`;
        problems.push({ path: `${set.path}.${range}`, message });
      }
    }
  }
  return { chosen, problems };
}

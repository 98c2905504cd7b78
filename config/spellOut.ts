import { type AddressRange, parseRange } from "./addressRange.ts";
import { type CloneConfig, type CloneSetConfig, type CountedSet, HARDWARE, numberedName } from "./cloneSet.ts";
import type { CloneSet, PlacedClone } from "./fleet.ts";
import { vmId as vmIdSchema } from "./formats.ts";
import type { Problem } from "./problem.ts";
import type { Chosen, OpenSet } from "./resolved.ts";
import { hostOf } from "./rules/addresses.ts";

/** A clone with what its set says, before anything is chosen from ranges. */
type Draft = Omit<PlacedClone, "vmId" | "ip"> & { vmId?: number; ip?: string };

/** A set as the program uses it; `open`: what it leaves to the cluster. */
export interface SpelledOut {
  set: CloneSet;
  problems: Problem[];
  open?: OpenSet;
}

/**
 * A set with its clones spelled out, each with the place in the config that it comes from.
 *
 * @param at where the set stands in the config
 * @param templateNodes the nodes that the set's template is on
 * @param chosen what its clones were given from its ranges, by name; one that lacks a VMID is left out
 */
export function spellOut(
  config: CloneSetConfig,
  at: string,
  templateNodes: readonly string[],
  chosen: Readonly<Record<string, Chosen>> = {},
): SpelledOut {
  const problems: Problem[] = [];
  if (config.datastore !== undefined && config.mode === "linked") {
    problems.push({
      path: `${at}.datastore`,
      message: `found "${config.datastore}" with mode "linked", whose disks stay with the template's; expected mode: full, or no datastore`,
    });
  }
  if (config.snapshotBefore !== undefined && config.mode === "linked") {
    problems.push({
      path: `${at}.snapshotBefore`,
      message: `found "${config.snapshotBefore}" with mode "linked"; expected mode: full, whose disks are its own, or no snapshotBefore`,
    });
  }
  const drafts =
    "count" in config
      ? countedClones(config, at, problems)
      : config.clones.map((clone, index) => placed(clone, config, `${at}.clones[${index}]`));
  problems.push(...withoutVmId(config, drafts), ...idleGateways(config, drafts, at));
  const clones = drafts.flatMap((draft) => finished(draft, config, at, chosen[draft.name]) ?? []);
  const { createClones, nodes, ...rest } = common(config);
  const kept = createClones === "keep" && ({ keep: true, onTemplateChange: "ignore" } as const);
  const set = {
    ...rest,
    ...kept,
    nodes: nodes ?? [...templateNodes],
    ...(nodes && { namesNodes: true as const }),
    clones,
  };
  const open = openSet(config, drafts, at);
  return { set, problems, ...(open && { open }) };
}

/** What both kinds of sets have, ranges and gateways left out. */
function common(config: CloneSetConfig) {
  const { vmIds: _v, ips: _i, ip6s: _6, gateway: _g, gateway6: _g6, ...own } = config;
  if (!("count" in own)) {
    const { clones: _, ...rest } = own;
    return rest;
  }
  const { count, namePattern, firstVmId, ipRange, ip6Range, adopt, ...rest } = own;
  return rest;
}

const isStatic = (address: string | undefined): boolean => address?.includes("/") ?? false;

/** A clone with what was chosen for it; undefined while anything is still to be chosen. */
function finished(draft: Draft, set: CloneSetConfig, at: string, chosen: Chosen = {}): PlacedClone | undefined {
  const { vmId = chosen.vmId, ip = set.ips === undefined ? "dhcp" : chosen.ip } = draft;
  const { ip6 = set.ip6s === undefined ? undefined : chosen.ip6 } = draft;
  if (vmId === undefined || ip === undefined || (ip6 === undefined && set.ip6s !== undefined)) return undefined;
  const { gateway = isStatic(ip) ? set.gateway : undefined, gateway6 = isStatic(ip6) ? set.gateway6 : undefined } =
    draft;
  const from = {
    ...(draft.vmId === undefined && { vmId: `${at}.vmIds` }),
    ...(draft.ip === undefined && set.ips !== undefined && { ip: `${at}.ips` }),
    ...(draft.ip6 === undefined && set.ip6s !== undefined && { ip6: `${at}.ip6s` }),
    ...(gateway !== undefined && draft.gateway === undefined && { gateway: `${at}.gateway` }),
    ...(gateway6 !== undefined && draft.gateway6 === undefined && { gateway6: `${at}.gateway6` }),
  };
  return {
    ...draft,
    vmId,
    ...(Object.keys(from).length > 0 && { from }),
    ip,
    ...(gateway !== undefined && { gateway }),
    ...(ip6 !== undefined && { ip6 }),
    ...(gateway6 !== undefined && { gateway6 }),
  };
}

/** What a clone has of addresses beside those that may be chosen: its gateways, and further interfaces. */
const ownAddresses = ({ gateway, gateway6, nics }: Draft): (string | undefined)[] => [
  gateway,
  gateway6,
  ...nics
    .slice(1)
    .flatMap((nic) => [nic.ip, nic.ip6, nic.gateway, nic.gateway6])
    .filter((one) => one && /[.:]/.test(one)),
];

/** What a set leaves to the cluster; undefined: nothing. */
function openSet(config: CloneSetConfig, drafts: readonly Draft[], at: string): OpenSet | undefined {
  const { vmIds, ips, ip6s, gateway, gateway6, createClones } = config;
  const isOpen = drafts.some(
    ({ vmId, ip, ip6 }) =>
      (vmIds !== undefined && vmId === undefined) ||
      (ips !== undefined && ip === undefined) ||
      (ip6s !== undefined && ip6 === undefined),
  );
  if (!isOpen) return undefined;
  return {
    path: at,
    clones: drafts.map(({ name, vmId, ip, ip6 }, index) => ({
      name,
      ...("count" in config && { n: index + 1 }),
      ...(vmId !== undefined && { vmId }),
      ...(ip !== undefined && { ip }),
      ...(ip6 !== undefined && { ip6 }),
    })),
    makesNone: createClones !== true,
    ...(vmIds !== undefined && { vmIds }),
    ...(ips !== undefined && { ips }),
    ...(ip6s !== undefined && { ip6s }),
    reserved: [gateway, gateway6, ...drafts.flatMap(ownAddresses)].flatMap((one) => (one ? hostOf(one) : [])),
  };
}

/** Clones that have no VMID, and no range to choose one from. */
function withoutVmId(config: CloneSetConfig, drafts: readonly Draft[]): Problem[] {
  if (config.vmIds !== undefined || "count" in config) return [];
  return drafts
    .filter(({ vmId }) => vmId === undefined)
    .map(({ path }) => ({
      path: `${path}.vmId`,
      message: 'missing; expected a VMID, or a range for the set, for example vmIds: "9100-9199"',
    }));
}

/** Gateways of sets in which no clone has a static address. */
function idleGateways(config: CloneSetConfig, drafts: readonly Draft[], at: string): Problem[] {
  const idle = (key: "gateway" | "gateway6", field: "ip" | "ip6", range: string | undefined): Problem[] => {
    const isUsed = drafts.length === 0 || range !== undefined || drafts.some((draft) => isStatic(draft[field]));
    if (config[key] === undefined || isUsed) return [];
    const message = `found ${config[key]}, but no clone of the set has a static ${field}; expected a static ${field} with it`;
    return [{ path: `${at}.${key}`, message }];
  };
  return [...idle("gateway", "ip", config.ips), ...idle("gateway6", "ip6", config.ip6s)];
}

/** Two ways to say one thing. */
function bothWays(set: CountedSet, at: string): Problem[] {
  const pairs = [
    ["firstVmId", "vmIds"],
    ["ipRange", "ips"],
    ["ip6Range", "ip6s"],
  ] as const;
  return pairs.flatMap(([one, other]): Problem[] =>
    set[one] !== undefined && set[other] !== undefined
      ? [{ path: `${at}.${other}`, message: `found ${set[other]} beside ${one}; expected either ${one} or ${other}` }]
      : [],
  );
}

function countedClones(set: CountedSet, at: string, problems: Problem[]): Draft[] {
  const { count, namePattern, firstVmId } = set;
  problems.push(...bothWays(set, at));
  const enough = (field: "ipRange" | "ip6Range", range: AddressRange | undefined) => {
    if (range && count > range.size) {
      problems.push({
        path: `${at}.${field}`,
        message: `found ${set[field]}, ${range.size} addresses for ${count} clones; expected an address for each`,
      });
    }
    return range;
  };
  const ipRange = set.ipRange ? enough("ipRange", parseRange(set.ipRange, "ipv4")) : undefined;
  const ip6Range = set.ip6Range ? enough("ip6Range", parseRange(set.ip6Range, "ipv6")) : undefined;
  problems.push(...vmIdProblems(set, at));
  const length = Math.min(count, ...[ipRange, ip6Range].map((range) => range?.size ?? count));
  return Array.from({ length }, (_, index) => {
    const vmId = firstVmId === undefined ? undefined : firstVmId + index;
    const {
      vmId: _none,
      ip: _ip,
      ...draft
    } = placed(
      {
        name: numberedName(namePattern, index + 1),
        ...(ip6Range && { ip6: ip6Range.at(index) }),
        tags: [],
        nics: [],
        adopt: vmId !== undefined && set.adopt.includes(vmId),
      },
      set,
      at,
    );
    return { ...draft, ...(vmId !== undefined && { vmId }), ...(ipRange && { ip: ipRange.at(index) }) };
  });
}

function vmIdProblems({ count, firstVmId, vmIds, adopt }: CountedSet, at: string): Problem[] {
  if (firstVmId === undefined) {
    const message = 'missing; expected the VMID of the first clone, or a range, for example vmIds: "9100-9199"';
    const unknown = "found a VMID, but those of the set are chosen from vmIds; expected firstVmId instead of vmIds";
    return [
      ...(vmIds === undefined ? [{ path: `${at}.firstVmId`, message }] : []),
      ...(adopt.length > 0 ? [{ path: `${at}.adopt`, message: unknown }] : []),
    ];
  }
  const last = firstVmId + count - 1;
  const tooHigh = count > 0 && !vmIdSchema.safeParse(last).success;
  const message = `found ${firstVmId} with ${count} clones; expected VMIDs up to ${vmIdSchema.maxValue}`;
  return [
    ...(tooHigh ? [{ path: `${at}.firstVmId`, message }] : []),
    ...adopt.flatMap((vmId, index): Problem[] => {
      if (vmId >= firstVmId && vmId <= last) return [];
      const expected = count > 0 ? `${firstVmId} to ${last}` : "which has none";
      return [{ path: `${at}.adopt[${index}]`, message: `found ${vmId}; expected a VMID of the set, ${expected}` }];
    }),
  ];
}

/** A clone with what it does not say itself filled in from its set. */
function placed(clone: CloneConfig, set: CloneSetConfig, path: string): Draft {
  const hardware = HARDWARE.flatMap((key) => {
    const value = clone[key] ?? set[key];
    return value === undefined ? [] : [[key, value]];
  });
  const nics = Array.from({ length: Math.max(set.nics.length, clone.nics.length) }, (_, index) => ({
    ...set.nics[index],
    ...clone.nics[index],
  }));
  const { cloudInit: own, vmId, ip, ...rest } = clone;
  const cloudInit = [set.cloudInit, own].flatMap((one) => one ?? []);
  return {
    ...rest,
    ...(vmId !== undefined && { vmId }),
    ...(ip !== undefined && { ip }),
    path,
    ...Object.fromEntries(hardware),
    ...(cloudInit.length > 0 && { cloudInit }),
    description: clone.description ?? set.description,
    tags: [...new Set([...set.tags, ...clone.tags])],
    nics,
  };
}

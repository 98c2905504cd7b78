import { type AddressRange, parseRange } from "./addressRange.ts";
import { type CloneConfig, type CloneSetConfig, type CountedSet, HARDWARE, numberedName } from "./cloneSet.ts";
import type { CloneSet, PlacedClone } from "./fleet.ts";
import { vmId as vmIdSchema } from "./formats.ts";
import type { Problem } from "./problem.ts";

/**
 * A set with its clones spelled out, each with the place in the config that it comes from.
 *
 * @param at where the set stands in the config
 * @param templateNodes the nodes that the set's template is on
 */
export function spellOut(
  config: CloneSetConfig,
  at: string,
  templateNodes: readonly string[],
): { set: CloneSet; problems: Problem[] } {
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
  const clones =
    "count" in config
      ? countedClones(config, at, problems)
      : config.clones.map((clone, index) => placed(clone, config, `${at}.clones[${index}]`));
  const { createClones, nodes = [...templateNodes], ...rest } = common(config);
  const kept = createClones === "keep" && ({ keep: true, onTemplateChange: "ignore" } as const);
  return { set: { ...rest, ...kept, nodes, clones }, problems };
}

/** What both kinds of sets have. */
function common(config: CloneSetConfig): Omit<CloneSetConfig, "clones"> {
  if (!("count" in config)) {
    const { clones: _, ...rest } = config;
    return rest;
  }
  const { count, namePattern, firstVmId, ipRange, gateway, ip6Range, gateway6, adopt, ...rest } = config;
  return rest;
}

function countedClones(set: CountedSet, at: string, problems: Problem[]): PlacedClone[] {
  const { count, namePattern, firstVmId, gateway, gateway6 } = set;
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
  if (count > 0 && !vmIdSchema.safeParse(firstVmId + count - 1).success) {
    problems.push({
      path: `${at}.firstVmId`,
      message: `found ${firstVmId} with ${count} clones; expected VMIDs up to ${vmIdSchema.maxValue}`,
    });
  }
  for (const [index, vmId] of set.adopt.entries()) {
    if (vmId >= firstVmId && vmId < firstVmId + count) continue;
    problems.push({
      path: `${at}.adopt[${index}]`,
      message: `found ${vmId}; expected a VMID of the set, ${count > 0 ? `${firstVmId} to ${firstVmId + count - 1}` : "which has none"}`,
    });
  }
  const length = Math.min(count, ...[ipRange, ip6Range].map((range) => range?.size ?? count));
  return Array.from({ length }, (_, index) =>
    placed(
      {
        name: numberedName(namePattern, index + 1),
        vmId: firstVmId + index,
        ip: ipRange?.at(index) ?? "dhcp",
        ...(gateway && { gateway }),
        ...(ip6Range && { ip6: ip6Range.at(index) }),
        ...(gateway6 && { gateway6 }),
        tags: [],
        nics: [],
        adopt: set.adopt.includes(firstVmId + index),
      },
      set,
      at,
    ),
  );
}

/** A clone with what it does not say itself filled in from its set. */
function placed(clone: CloneConfig, set: CloneSetConfig, path: string): PlacedClone {
  const hardware = HARDWARE.flatMap((key) => {
    const value = clone[key] ?? set[key];
    return value === undefined ? [] : [[key, value]];
  });
  const nics = Array.from({ length: Math.max(set.nics.length, clone.nics.length) }, (_, index) => ({
    ...set.nics[index],
    ...clone.nics[index],
  }));
  return {
    ...clone,
    path,
    ...Object.fromEntries(hardware),
    description: clone.description ?? set.description,
    tags: [...new Set([...set.tags, ...clone.tags])],
    nics,
  };
}

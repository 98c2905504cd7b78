import { isDeepStrictEqual } from "node:util";
import type { Booted, CloneState } from "./state.ts";

/** A running VM: its node and the process that runs it (PVE: `pid` of `status/current`). */
export interface Running {
  node: string;
  pid: number;
}

/**
 * Whether PVE has started the guest since this was noted: another process runs it on the same node. On another node the
 * guest may have been started or migrated as it ran, so that it is taken to have what it had.
 */
const wasStarted = (booted: Booted, { node, pid }: Running): boolean => booted.node === node && booted.pid !== pid;

/**
 * What a running guest was started with, if that is not what its config says now.
 *
 * @param state what was known before
 * @param ipConfigs what the config says now
 */
export function bootedOf(state: CloneState, running: Running, ipConfigs: readonly string[]): Booted | undefined {
  const { booted, spec } = state;
  const had = booted && !wasStarted(booted, running) ? booted.ipConfigs : spec.ipConfigs;
  return had === undefined || isDeepStrictEqual(had, [...ipConfigs]) ? undefined : { ipConfigs: had, ...running };
}

/** The `ipconfigN` whose new value the guest does not have yet. */
export function waitingIpConfigs(booted: Booted | undefined, ipConfigs: readonly string[]): string[] {
  if (!booted) return [];
  const count = Math.max(booted.ipConfigs.length, ipConfigs.length);
  return Array.from({ length: count }, (_none, index) => index)
    .filter((index) => (booted.ipConfigs[index] ?? "") !== (ipConfigs[index] ?? ""))
    .map((index) => `ipconfig${index}`);
}

/** The static IPv4 address, or else the static IPv6 address, that a guest is started with; undefined: it has none. */
export function staticAddress(ipConfigs: readonly string[]): string | undefined {
  const [first = ""] = ipConfigs;
  const [, ip] = /(?:^|,)ip=([^/,]+)\//.exec(first) ?? [];
  const [, ip6] = /(?:^|,)ip6=([^/,]+)\//.exec(first) ?? [];
  return ip ?? ip6;
}

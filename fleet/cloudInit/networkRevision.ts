import { contentHash } from "../contentHash.ts";

/** What PVE makes the network-config of a guest from, as far as this program sets it. */
export interface NetworkSettings {
  /** PVE's `ipconfig0`, `ipconfig1`, …; empty where an interface has none. */
  ipConfigs: readonly string[];
  nameservers?: readonly string[] | undefined;
  searchDomain?: string | undefined;
}

const LENGTH = 8;

/** Eight hex digits that are others when the network settings are: what the guest's serial says of them. */
export function networkRevision({ ipConfigs, nameservers = [], searchDomain = "" }: NetworkSettings): string {
  const last = ipConfigs.findLastIndex(Boolean);
  return contentHash({ ipConfigs: ipConfigs.slice(0, last + 1), nameservers, searchDomain }).slice(0, LENGTH);
}

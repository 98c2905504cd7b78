import { waitingInSerial } from "../../fleet/cloudInit/guestChanges.ts";
import { networkRevision } from "../../fleet/cloudInit/networkRevision.ts";
import { serialOf } from "../../fleet/cloudInit/smbios.ts";
import { parseSmbiosSerial } from "../../fleet/cloudInit/smbiosSerial.ts";
import type { PendingOption } from "../../proxmox/pendingOptions.ts";
import type { Booted, CloneState } from "./state.ts";

/** The static IPv4 address, or else the static IPv6 address, that a guest is started with; undefined: it has none. */
export function staticAddress(ipConfigs: readonly string[]): string | undefined {
  const [first = ""] = ipConfigs;
  const [, ip] = /(?:^|,)ip=([^/,]+)\//.exec(first) ?? [];
  const [, ip6] = /(?:^|,)ip6=([^/,]+)\//.exec(first) ?? [];
  return ip ?? ip6;
}

const networkOf = ({ ipConfigs = [], nameservers, searchDomain }: CloneState["spec"]): Booted => ({
  ipConfigs,
  ...(nameservers && { nameservers }),
  ...(searchDomain !== undefined && { searchDomain }),
});

/** The settings, of those that were known before, that the running guest's serial names. */
function startedWith({ booted, spec }: CloneState, revision: string | undefined): Booted {
  const known = [...(booted ? [booted] : []), networkOf(spec)];
  return known.find((one) => networkRevision(one) === revision) ?? known[0] ?? { ipConfigs: [] };
}

/** The options by which two network settings differ, as PVE calls them. */
function changedNetwork(olds: Booted, news: Booted): string[] {
  const count = Math.max(olds.ipConfigs.length, news.ipConfigs.length);
  const ips = Array.from({ length: count }, (_none, index) => index).flatMap((index) =>
    (olds.ipConfigs[index] ?? "") === (news.ipConfigs[index] ?? "") ? [] : [`ipconfig${index}`],
  );
  return [
    ...ips,
    ...((olds.nameservers ?? []).join() === (news.nameservers ?? []).join() ? [] : ["nameserver"]),
    ...((olds.searchDomain ?? "") === (news.searchDomain ?? "") ? [] : ["searchdomain"]),
  ];
}

/**
 * What a running guest gets only when PVE starts it next. PVE does not list addresses, which the guest reads from the
 * cloud-init drive that PVE writes at the start; but it lists the SMBIOS serial, which names the network settings.
 *
 * @param before what was known before the VM got its present config
 * @param now its present config
 */
export function waiting(
  before: CloneState,
  now: CloneState["spec"],
  pending: readonly PendingOption[],
): { options: string[]; booted?: Booted } {
  // The guest learns its name by the SMBIOS serial, not from the drive.
  const others = pending.flatMap(({ key }) => (key === "name" || key === "smbios1" ? [] : [key]));
  const smbios = pending.find(({ key }) => key === "smbios1");
  if (!smbios) return { options: [...new Set(others)].sort() };
  const [runs, gets] = [smbios.value, smbios.pending].map((value) =>
    serialOf(value === undefined ? value : String(value)),
  );
  const parts = waitingInSerial(runs, gets);
  if (!parts.includes("network")) return { options: [...new Set([...others, ...parts])].sort() };
  const booted = startedWith(before, parseSmbiosSerial(runs)?.network);
  const changed = changedNetwork(booted, networkOf(now));
  const names = [...others, ...parts.filter((part) => part !== "network"), ...changed];
  return { options: [...new Set(names.length > 0 ? names : ["network"])].sort(), booted };
}

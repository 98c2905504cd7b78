import { parseSmbiosSerial } from "./smbiosSerial.ts";

/** Options of a clone that reach its guest by cloud-init. */
export type GuestOption = "hostname" | "ipConfigs" | "nameservers" | "searchDomain";

const GUEST_OPTIONS: readonly string[] = [
  "hostname",
  "ipConfigs",
  "nameservers",
  "searchDomain",
] satisfies GuestOption[];

/** Network settings, by their name in the config or in PVE. */
const NETWORK = /^(ipConfigs|nameservers|searchDomain|ipconfig\d+|nameserver|searchdomain|network)$/;

/** How a guest gets its data. */
export interface GuestData {
  /** The instance-id in its SMBIOS serial; without one, PVE makes it from what is on the drive. */
  instanceId?: string | undefined;
  /** PVE makes the user-data from the VM's own fields; else it is a snippet, which has no host name in it. */
  userData?: "pve" | undefined;
}

/** Whether cloud-init takes a guest with changed options for a new one: something on the drive is changed, and no id of its own stays. */
export const isNewInstance = (options: readonly string[], { instanceId, userData }: GuestData): boolean =>
  instanceId === undefined &&
  options.some((option) => NETWORK.test(option) || (userData === "pve" && option === "hostname"));

export interface GuestChanges {
  /** The changed options that reach the guest by cloud-init. */
  options: GuestOption[];
  /** Whether cloud-init takes the guest for a new instance, so that everything of the first boot is done again. */
  newInstance: boolean;
  /** When and how the guest takes them over, as the end of a sentence. */
  text: string;
}

const AT_NEXT_START = "at the next start by Proxmox VE (a reboot from inside the guest is not enough)";
/** What cloud-init does with a guest that it takes for a new one. */
export function newInstance({ userData }: GuestData): string {
  const again =
    userData === "pve"
      ? "user, password and keys are set again"
      : "packages and runCommands run again, writeFiles are written again";
  return `as a new cloud-init instance: ${again}, and SSH host keys are made anew`;
}

/**
 * What a guest that has booted before does with changed options.
 *
 * @param changed names of options; those that do not reach the guest by cloud-init are passed over
 * @returns undefined if no option reaches the guest by cloud-init
 */
export function guestChanges(changed: Iterable<string>, data: GuestData): GuestChanges | undefined {
  const options = [...changed].filter((name): name is GuestOption => GUEST_OPTIONS.includes(name));
  if (options.length === 0) return undefined;
  const isNew = isNewInstance(options, data);
  return { options, newInstance: isNew, text: isNew ? `${AT_NEXT_START}, ${newInstance(data)}` : AT_NEXT_START };
}

/**
 * What a running guest does not have yet. PVE lists a serial that it has not started the VM with as pending: the value is
 * what the guest runs with, `pending` what it gets at the next start.
 */
export function waitingInSerial(running: string | undefined, next: string | undefined): ("hostname" | "network")[] {
  const [had, gets] = [parseSmbiosSerial(running), parseSmbiosSerial(next)];
  return [
    ...(had?.hostname === gets?.hostname ? [] : (["hostname"] as const)),
    ...(had?.network === gets?.network ? [] : (["network"] as const)),
  ];
}

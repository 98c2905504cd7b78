import { parseSmbiosSerial } from "./smbiosSerial.ts";

/** Options of a clone that reach its guest by cloud-init. */
export type GuestOption = "hostname" | "ipConfigs" | "nameservers" | "searchDomain";

const GUEST_OPTIONS: readonly string[] = [
  "hostname",
  "ipConfigs",
  "nameservers",
  "searchDomain",
] satisfies GuestOption[];

/** A changed one of these changes the network-config on the drive, and so the instance-id that PVE makes from it. */
const isNetwork = (option: string): boolean => option !== "hostname";

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
export const NEW_INSTANCE =
  "as a new cloud-init instance: packages and runCommands run again, writeFiles are written again, and SSH host keys are made anew";

/**
 * What a guest that has booted before does with changed options.
 *
 * @param changed names of options; those that do not reach the guest by cloud-init are passed over
 * @param instanceId the instance-id in the guest's SMBIOS serial; without one, PVE makes it from what is on the drive
 * @returns undefined if no option reaches the guest by cloud-init
 */
export function guestChanges(changed: Iterable<string>, instanceId: string | undefined): GuestChanges | undefined {
  const options = [...changed].filter((name): name is GuestOption => GUEST_OPTIONS.includes(name));
  if (options.length === 0) return undefined;
  const newInstance = instanceId === undefined && options.some(isNetwork);
  return { options, newInstance, text: newInstance ? `${AT_NEXT_START}, ${NEW_INSTANCE}` : AT_NEXT_START };
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

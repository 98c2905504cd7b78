/** The fleet that every contender makes: the same names, VMIDs and addresses, so that one check fits them all. */

export const templateVmId = 9000;
export const firstVmId = 10_001;
export const gateway = "10.1.0.1";
export const prefixLength = 16;
/** How many clones the phase `grow` adds. */
export const growth = 10;

export interface FleetClone {
  name: string;
  vmId: number;
  /** Without prefix length. */
  address: string;
}

/** Address of the clone with this number, counted from 1: 10.1.0.11 and on. */
export function addressOf(number: number): string {
  const last = 10 + number;
  return `10.1.${Math.floor(last / 256)}.${last % 256}`;
}

export function fleetOf(clones: number): FleetClone[] {
  return Array.from({ length: clones }, (_, index) => ({
    name: `web-${index + 1}`,
    vmId: firstVmId + index,
    address: addressOf(index + 1),
  }));
}

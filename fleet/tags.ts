/** The tag that every VM of a fleet carries: it shows in the guest list, so that many VMs are known by one request. */
export const fleetTag = (fleetId: string): string => `fleet-${fleetId}`;

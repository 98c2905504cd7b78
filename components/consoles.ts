import { consoleLink } from "../fleet/consoleLink.ts";

/** A VM with the link to where PVE's web interface shows it. */
export type WithConsole<T> = T & { console: string };

/** VMs by key, each with its link; the outputs are for people, too. */
export const withConsoles = <T extends { vmId: number }>(
  endpoint: string,
  byKey: Readonly<Record<string, readonly T[]>>,
): Record<string, WithConsole<T>[]> =>
  Object.fromEntries(
    Object.entries(byKey).map(([key, vms]) => [
      key,
      vms.map((vm) => ({ ...vm, console: consoleLink(endpoint, vm.vmId) })),
    ]),
  );

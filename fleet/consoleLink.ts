/**
 * Where PVE's web interface shows a VM, with its console among the tabs. The interface reads it from what follows `#`: version,
 * view (0: by node), and the guest; whatever else is not there stays as it was.
 */
export const consoleLink = (endpoint: string, vmId: number | string): string =>
  `${endpoint.replace(/\/+$/, "")}/#v1:0:=qemu%2F${vmId}`;

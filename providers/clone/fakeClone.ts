import type { CloneInputs } from "./inputs.ts";

/** Inputs of a clone for unit tests. */
export function fakeClone(change: Partial<CloneInputs> = {}): CloneInputs {
  return {
    stack: "organization/golden/test",
    fleetId: "c1d2be9a",
    set: "web",
    vmId: 9101,
    name: "web-1",
    hostname: "web-1.example.net",
    template: "0123456789ab",
    full: false,
    datastore: "local-lvm",
    places: [{ node: "pve1", sourceVmId: 9000 }],
    ipConfigs: ["ip=10.0.0.21/24,gw=10.0.0.1"],
    nameservers: ["10.0.0.1"],
    searchDomain: "example.net",
    tags: ["web"],
    onBoot: false,
    start: true,
    ...change,
  };
}

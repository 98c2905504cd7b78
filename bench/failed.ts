import type { LabState } from "../lab/lab.ts";
import { firstVmId, fleetOf, gateway, prefixLength } from "./fleet.ts";

/** Names of the clones that are not what they should be, as the cluster has them: no exit code is trusted. */
export function failedClones(vms: LabState["vms"], clones: number): string[] {
  return fleetOf(clones)
    .filter(({ name, vmId, address }) => {
      const vm = vms[vmId];
      const ipConfig = String(vm?.config.ipconfig0 ?? "").split(",");
      const complete =
        vm?.name === name &&
        vm.status === "running" &&
        vm.config.lock === undefined &&
        ipConfig.includes(`ip=${address}/${prefixLength}`) &&
        ipConfig.includes(`gw=${gateway}`);
      return !complete;
    })
    .map(({ name }) => name);
}

/** VMIDs of clones that are still there. */
export function remainingClones(vms: LabState["vms"]): number[] {
  return Object.keys(vms)
    .map(Number)
    .filter((vmId) => vmId >= firstVmId);
}

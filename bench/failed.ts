import type { LabState } from "../lab/lab.ts";
import type { Phase } from "./contender.ts";
import { firstVmId, fleetOf, gateway, prefixLength } from "./fleet.ts";

/** How many clones are not what they should be after a phase, as the cluster has them: no exit code is trusted. */
export const failedClones = (vms: LabState["vms"], phase: Phase, clones: number): number =>
  phase === "destroy" ? remaining(vms) : wrong(vms, clones);

function wrong(vms: LabState["vms"], clones: number): number {
  return fleetOf(clones).filter(({ name, vmId, address }) => {
    const vm = vms[vmId];
    const ipConfig = String(vm?.config.ipconfig0 ?? "").split(",");
    const complete =
      vm?.name === name &&
      vm.status === "running" &&
      vm.config.lock === undefined &&
      ipConfig.includes(`ip=${address}/${prefixLength}`) &&
      ipConfig.includes(`gw=${gateway}`);
    return !complete;
  }).length;
}

const remaining = (vms: LabState["vms"]): number => Object.keys(vms).filter((vmId) => Number(vmId) >= firstVmId).length;

import type { ConditionName } from "../lab/control.ts";

/** How the lab's node behaves, in the order in which they are measured; `LabControl.conditions` says what they are. */
export const conditionNames = ["instant", "node"] as const satisfies readonly ConditionName[];

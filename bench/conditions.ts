import type { LabControl } from "../lab/lab.ts";

export const conditionNames = ["instant", "node"] as const;
/**
 * `instant`: PVE's tasks end at once, and answers take no time: what is left is the contender's own.
 * `node`: as measured on a real node: a linked clone takes 1.65 s, four at a time per datastore, the others wait for
 * its lock and fail after 10 s, an answer takes 20 ms.
 */
export type Conditions = (typeof conditionNames)[number];

const answerSeconds = 0.02;

export async function setConditions(control: LabControl, conditions: Conditions): Promise<void> {
  const real = conditions === "node";
  await control.timeScale(real ? 1 : 0);
  await control.storageLocks({ slots: 4, wait: 10 });
  await control.network({ latency: real ? answerSeconds : 0 });
}

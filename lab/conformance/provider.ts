import type { Lab } from "../lab.ts";
import { differences, isObject } from "./compare.ts";
import { type Json, type JsonObject, type ProviderStep, readProvider } from "./recording.ts";
import { filled, Session } from "./replay.ts";
import type { StepResult } from "./shared.ts";

const quick = 0.03;
/** `/cluster/resources` lags by so many PVE seconds; the recorder's phases lay further apart. */
const statusCycles = 2.2 * 10;
const snippet = { path: "/var/lib/vz/snippets/user-9000.yaml", content: "#cloud-config\nhostname: x\n" };

const delay = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * What a round of pvestatd saw of a VM is a matter of time: while a phase makes VMs (`changing`), and where either side
 * does not know one, only its identity counts.
 */
function withoutTiming(list: Json, other: Json, changing: boolean): Json {
  if (!Array.isArray(list) || !Array.isArray(other)) return list;
  return list.map((item, index) => {
    const pair = other[index];
    if (!isObject(item) || !isObject(pair)) return item;
    if (!changing && item.status !== "unknown" && pair.status !== "unknown") return item;
    const { id = null, node = null, type = null, vmid = null } = item;
    return { id, node, type, vmid };
  });
}

/** The differences of a step; undefined where there is nothing to compare. */
async function play(
  session: Session,
  step: ProviderStep,
  upids: Map<number, string>,
): Promise<readonly string[] | undefined> {
  const upid = step.task_of === undefined ? undefined : upids.get(step.task_of);
  if (step.task_of !== undefined && upid === undefined) return [`no task of step ${step.task_of}`];
  const isPoll = upid !== undefined && step.request.path.endsWith("/status");
  if (isPoll) {
    const status = (step.response.data as JsonObject).status;
    // A recorded poll that found the task running says only how fast the node was.
    if (status === "running") return undefined;
    await session.ended(upid);
  }
  const target = upid === undefined ? step.request.path : step.request.path.replace("UPID", encodeURIComponent(upid));
  const answer = await session.send(step.as, step.request.method, target, step.request.params);
  if (typeof answer.data === "string" && answer.data.startsWith("UPID:")) upids.set(step.n, answer.data);
  const { data = null, ...head } = step.response as unknown as JsonObject;
  const resources = step.request.path === "/cluster/resources";
  const changing = step.phase.endsWith("up1");
  return [
    ...differences(head, { ...answer }, true, "response"),
    ...differences(
      resources ? withoutTiming(data, answer.data, changing) : data,
      resources ? withoutTiming(answer.data, data, changing) : answer.data,
      false,
      "data",
    ),
  ];
}

/** Plays the proxmoxve provider's own traffic, in the order it came in. */
export async function replayProvider(lab: Lab): Promise<StepResult[]> {
  const session = await Session.open(lab);
  const names = new Map([["web", lab.imagesUrl]]);
  const upids = new Map<number, string>();
  const results: StepResult[] = [];
  let phase = "";
  try {
    await lab.control.timeScale(quick);
    for (const recorded of await readProvider()) {
      const step = filled(recorded as unknown as JsonObject, names) as unknown as ProviderStep;
      if (phase !== "" && step.phase !== phase) await delay(statusCycles * quick * 1000);
      phase = step.phase;
      const found = await play(session, step, upids);
      if (found !== undefined) {
        const group = `provider ${step.phase.split("-")[0]}`;
        results.push({ id: `provider-${step.n}`, group, differences: found });
      }
      // The snippet went up by SFTP, after the provider had asked where the datastore lies.
      if (step.request.method === "GET" && step.request.path === "/storage/local") {
        await session.sftpPut(snippet.path, snippet.content);
      }
    }
  } finally {
    await session.close();
  }
  return results;
}

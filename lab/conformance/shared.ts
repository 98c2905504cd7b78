import type { Lab } from "../lab.ts";
import { differences, isObject, steadyLines } from "./compare.ts";
import {
  type Json,
  type JsonObject,
  readChecksums,
  readShared,
  type SharedFile,
  type SharedStep,
} from "./recording.ts";
import { type Answer, deadPort, type EndedTask, filled, Session } from "./replay.ts";

export interface StepResult {
  readonly id: string;
  readonly group: string;
  readonly differences: readonly string[];
}

/**
 * PVE seconds in real ones. Where something must be asked before something else has ended, a busy machine needs time:
 * the steps between start and end of slow clones, and the look at a VM that pvestatd has not seen yet.
 */
const quick = 0.03;
const slow: readonly (readonly [RegExp, number])[] = [
  [/^(clone-slow|h-slow|h-kill|h-crash)/, 0.3],
  [/^resources-/, 0.15],
];
const scaleOf = (id: string): number => slow.find(([pattern]) => pattern.test(id))?.[1] ?? quick;

const groups: readonly (readonly [string, RegExp])[] = [
  ["permissions", /^(user-|acl-|role-|perm-|priv-|pool)/],
  ["http and login", /^(auth-|path-|method-|ticket-|put-arg|node-unknown)/],
  ["tasks", /^task-/],
  ["download", /^(dl-|url-|meta-)/],
  ["storage and content", /^(storage-|content-|snip-)/],
  ["cloud-init", /^(ci-|ide[02]-|dump-)/],
  ["mapping", /^(map-|hostpci)/],
  ["create", /^(create-|filled-create|resources-now)/],
  ["clone", /^(clone|race-|chain-|slow-|kill-|crash)/],
  ["template", /^(template|tags-before)/],
  ["snapshot", /^snap/],
  ["resize and disks", /^(resize|disk-|unused-|detach|reattach|unlink|move)/],
  ["delete", /^(delete|protect|unprotect)/],
  ["power and agent", /^(start|stop|shutdown|agent|reboot-|reset-|suspend|resume)/],
  ["config", /^(cfg-|put-|post-|pending|digest-|hot-|revert|del-two)/],
  ["cluster", /./],
];

export function groupOf(id: string): string {
  return groups.find(([, pattern]) => pattern.test(id.replace(/^h-/, "")))?.[0] ?? "cluster";
}

const delay = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const isUpid = (data: Json): data is string => typeof data === "string" && data.startsWith("UPID:");

function taskDifferences(step: SharedStep, task: EndedTask | undefined, names: ReadonlyMap<string, string>): string[] {
  if (step.task === null) return task && !step.async ? ["a task was started, none was recorded"] : [];
  if (task === undefined) return ["no task was started"];
  const want = filled({ ...step.task, log: steadyLines(step.task.log) } as unknown as JsonObject, names);
  const { upid: _, ...have } = { ...task, log: steadyLines(task.log) };
  return differences(want, have, true, "task");
}

function filtered(data: Json, condition: string | undefined): Json {
  if (condition === undefined || !Array.isArray(data)) return data;
  const [key = "", value] = condition.split("=");
  return data.filter((item) => isObject(item) && String(item[key]) === value);
}

class Replay {
  readonly #lab: Lab;
  readonly #session: Session;
  readonly #names: Map<string, string>;
  readonly #open = new Map<string, string>();

  constructor(lab: Lab, session: Session, names: Map<string, string>) {
    this.#lab = lab;
    this.#session = session;
    this.#names = names;
  }

  async step(step: SharedStep): Promise<string[]> {
    await this.#lab.control.timeScale(scaleOf(step.id));
    const found = await this.#act(step);
    await this.#quiet();
    for (const [what, expected] of Object.entries(step.then ?? {})) {
      found.push(...(await this.#then(what, filled(expected, this.#names))));
    }
    return found;
  }

  /** Waits for tasks that a task has started: the recorder looked a moment later. */
  async #quiet(): Promise<void> {
    const open = new Set(this.#open.values());
    while ((await this.#lab.control.state()).running.some((upid) => !open.has(upid))) await delay(5);
  }

  async #act(step: SharedStep): Promise<string[]> {
    const { method } = step.request;
    const params = filled(step.request.params ?? {}, this.#names);
    const target = filled(step.request.path ?? "", this.#names);
    switch (method) {
      case "SLEEP":
        await delay(Number((params as JsonObject).seconds) * 1000 * scaleOf(step.id));
        return [];
      case "WAIT":
        return taskDifferences(step, await this.#session.ended(this.#open.get(target) ?? ""), this.#names);
      case "KILL": {
        const upid = this.#open.get(target) ?? "";
        await this.#lab.control.killTask({ upid });
        return taskDifferences(step, await this.#session.ended(upid), this.#names);
      }
      case "SFTP-PUT":
        await this.#session.sftpPut(target, String((params as JsonObject).content));
        return [];
      case "PARALLEL":
        return this.#parallel(step, params as JsonObject[]);
      default:
        return this.#request(step, method, target, params as Record<string, string | number>);
    }
  }

  async #request(
    step: SharedStep,
    method: string,
    target: string,
    params: Record<string, string | number>,
  ): Promise<string[]> {
    const answer = await this.#session.send(step.as, method, target, params);
    if (step.response === null) return [];
    const { data, ...head } = filled(step.response as unknown as JsonObject, this.#names);
    const { data: got, ...rest } = answer;
    const found = differences(head, rest, true, "response");
    found.push(...differences(data ?? null, this.#narrowed(step, got), step.partial === true, "data"));
    for (const [name, key] of Object.entries(step.save ?? {})) {
      this.#names.set(name, isObject(got) ? String(got[key]) : "");
    }
    const task = await this.#follow(step, answer);
    return [...found, ...taskDifferences(step, task, this.#names)];
  }

  #narrowed(step: SharedStep, data: Json): Json {
    return isObject(step.where) && Array.isArray(data)
      ? data.filter(
          (item) =>
            isObject(item) &&
            Object.entries(step.where as JsonObject).every(([key, value]) => String(item[key]) === String(value)),
        )
      : data;
  }

  async #follow(step: SharedStep, answer: Answer): Promise<EndedTask | undefined> {
    if (!isUpid(answer.data) || step.request.method === "GET") return undefined;
    this.#names.set(`upid:${step.id}`, encodeURIComponent(answer.data));
    this.#open.set(step.id, answer.data);
    return step.async ? undefined : this.#session.ended(answer.data);
  }

  async #parallel(step: SharedStep, requests: readonly JsonObject[]): Promise<string[]> {
    const got = await Promise.all(
      requests.map(async ({ method, path, params }) => {
        const answer = await this.#session.send(
          step.as,
          String(method),
          String(path),
          params as Record<string, string | number>,
        );
        const task = isUpid(answer.data) ? await this.#session.ended(answer.data) : undefined;
        return { status: answer.status, reason: answer.reason, exitstatus: task?.exitstatus ?? null };
      }),
    );
    const outcomes = (step.response?.outcomes ?? []).map((outcome) => ({
      status: Number(outcome.status),
      reason: String(outcome.reason),
      exitstatus: isObject(outcome.task) ? String(outcome.task.exitstatus) : null,
    }));
    const found = differences(outcomes, got, true, "outcomes");
    if (!step.unstable || found.length === 0) return found;
    // A race: one wins, the others lose in one of the ways that were seen.
    const winners = got.filter((outcome) => outcome.exitstatus === "OK").length;
    const losers = got.filter((outcome) => outcome.exitstatus !== "OK");
    const known = losers.every(
      ({ reason, exitstatus }) =>
        /config file already exists/.test(reason) ||
        /can't lock file|refusing to override existing file/.test(exitstatus ?? ""),
    );
    return winners === 1 && known ? [] : [`outcomes: ${JSON.stringify(got)}`];
  }

  async #then(what: string, expected: Json): Promise<string[]> {
    const [request = "", condition] = what.split(" where ");
    const [method = "GET", target = ""] = request.split(" ");
    const answer = await this.#session.send("root-token", method, target, {});
    if (isObject(expected) && typeof expected.status === "number") {
      return differences(expected, { status: answer.status, reason: answer.reason }, true, what);
    }
    if (answer.status !== 200) return [`${what}: ${answer.status} ${answer.reason}`];
    return differences(expected, filtered(answer.data, condition), true, what);
  }
}

/** Plays shared.jsonl or second.jsonl on a lab that was seeded as the recordings' node. */
export async function replayShared(lab: Lab, file: SharedFile): Promise<StepResult[]> {
  const session = await Session.open(lab);
  const dead = `127.0.0.1:${await deadPort()}`;
  const names = new Map([
    ["web", lab.imagesUrl],
    ["web-host", lab.imagesUrl.replace("http://", "")],
    ["dead", `http://${dead}`],
    ["dead-host", dead],
  ]);
  for (const [name, sum] of Object.entries(await readChecksums())) names.set(`sha:${name}`, sum);
  const replay = new Replay(lab, session, names);
  const results: StepResult[] = [];
  try {
    for (const step of await readShared(file)) {
      results.push({ id: step.id, group: groupOf(step.id), differences: await replay.step(step) });
    }
  } finally {
    await session.close();
  }
  return results;
}

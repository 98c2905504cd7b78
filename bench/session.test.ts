import { beforeEach, expect, test, vi } from "vitest";
import type { Lab } from "../lab/lab.ts";
import type { Phase } from "./contender.ts";
import { clonesOf } from "./contenders/labFolder.ts";
import { fleetOf, gateway, prefixLength } from "./fleet.ts";
import type { Result } from "./result.ts";
import { measure } from "./session.ts";

// A cluster that is only played here has no list to wait for.
vi.mock("./settled.ts", () => ({ settled: () => Promise.resolve() }));
/** What the session did: `instant: first`. */
let done: string[] = [];
let closed = false;
beforeEach(() => {
  done = [];
  closed = false;
});

interface Played {
  phases: Phase[];
  /** Exit codes of a phase's runs, one after the other; then, and unless said, 0. */
  codes?: Partial<Record<Phase, number[]>>;
  /** A phase after which no clone is right. */
  breaks?: Phase;
  /** A phase that the contender does not have. */
  lacks?: Phase;
}

/** Plays a contender whose clones are right at once; `ran` are the phases that were measured. */
async function play({ phases, codes = {}, breaks, lacks }: Played) {
  let clones = 0;
  let conditions = "";
  let last: Phase = "first";
  const vm = ({ name, address }: { name: string; address: string }) => ({
    name,
    status: last === breaks ? "stopped" : "running",
    config: { ipconfig0: `ip=${address}/${prefixLength},gw=${gateway}` },
  });
  const control = {
    conditions: async (name: string) => {
      conditions = name;
    },
    clearRequests: async () => null,
    requests: async () => ({ total: 0, api: [] }),
    vms: async () => {
      done.push(`${conditions}: ${last}`);
      return last === "destroy" ? {} : Object.fromEntries(fleetOf(clones).map((clone) => [clone.vmId, vm(clone)]));
    },
  };
  const lab = { control, pid: process.pid } as unknown as Lab;
  const results: Result[] = [];
  const failures: string[] = [];
  const contender = {
    name: "played",
    available: () => undefined,
    open: async () => ({
      lab,
      want: async (wanted: number) => {
        clones = wanted;
      },
      command: (phase: Phase) =>
        phase === lacks
          ? undefined
          : {
              file: "/bin/sh",
              // Which phase it is, and which run of it, is known when it is run, not when it is asked for.
              get args() {
                last = phase;
                return ["-c", `echo the error is here; exit ${codes[phase]?.shift() ?? 0}`];
              },
              cwd: "/",
              env: {},
            },
      stateBytes: async () => 100 * clones,
      failedClones: clonesOf(lab),
      close: async () => {
        closed = true;
      },
    }),
  };
  const notes = { results, failure: (text: string) => failures.push(text), say: () => undefined };
  const error = await measure({ contender, clones: 2, conditions: "node", phases, run: 1 }, notes).then(
    () => undefined,
    (reason: Error) => reason.message,
  );
  return { results, ran: results.map(({ phase }) => phase), failures, error };
}

test("what comes before a chosen phase is done at once and not counted", async () => {
  const { results, ran, error } = await play({ phases: ["second", "preview"] });
  expect(done).toEqual(["instant: first", "node: second", "node: preview"]);
  expect(ran).toEqual(["second", "preview"]);
  expect(results.map(({ conditions }) => conditions)).toEqual(["node", "node"]);
  expect(error).toBeUndefined();
  expect(closed).toBe(true);
});

test("all phases together are under the same conditions, and each says what a clone takes of the state", async () => {
  const { results } = await play({ phases: ["first", "second", "preview", "grow", "destroy"] });
  expect(done).toEqual(["node: first", "node: second", "node: preview", "node: grow", "node: destroy"]);
  expect(results.map(({ stateBytesPerClone }) => stateBytesPerClone)).toEqual([100, 100, 100, 100, 100]);
});

test("for a phase that the contender does not have, nothing is done", async () => {
  expect((await play({ phases: ["preview"], lacks: "preview" })).ran).toEqual([]);
  expect(done).toEqual([]);
});

test("what fails is repeated where PVE needs no time, and the next phase is measured as asked", async () => {
  const { ran } = await play({ phases: ["first", "second"], codes: { first: [1, 1] } });
  expect(done).toEqual(["node: first", "instant: first", "instant: first", "node: second"]);
  expect(ran).toEqual(["second"]);
});

test("a command that fails, and no clone with it, is told and not counted", async () => {
  const { ran, failures } = await play({ phases: ["second", "preview"], codes: { preview: [3] } });
  expect(ran).toEqual(["second"]);
  expect(failures).toEqual(["preview: exit code 3: the error is here"]);
});

test("clones that fail are counted, and what was measured is kept if they cannot be mended", async () => {
  const { results, ran, error } = await play({ phases: ["second", "grow"], breaks: "grow" });
  expect(ran).toEqual(["second", "grow"]);
  expect(results.map(({ failedClones }) => failedClones)).toEqual([0, 12]);
  expect(error).toContain("grow: still wrong after 5 more runs");
  expect(closed).toBe(true);
});

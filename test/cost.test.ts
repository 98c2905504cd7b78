import { afterAll, beforeAll, expect, it } from "vitest";
import type { Phase, Session } from "../bench/contender.ts";
import { ours } from "../bench/contenders/ours.ts";
import { growth } from "../bench/fleet.ts";
import { costOf } from "../bench/measure/cost.ts";
import { cloneRequests } from "../bench/requests.ts";

/** What a clone may cost: times are for the bench (`npm run bench`), these numbers are exact on any machine. */

const clones = 10;
let session: Session;

beforeAll(async () => {
  session = await ours.open();
  await session.lab.control.conditions("instant");
});
afterAll(() => session?.close());

/** Requests for clones by kind. */
async function run(phase: Phase, wanted: number): Promise<Map<string, number>> {
  await session.want(wanted);
  const command = session.command(phase);
  if (command === undefined) throw new Error(`no command for ${phase}`);
  await session.lab.control.clearRequests();
  const { code, output } = await costOf(command);
  expect(code, output).toBe(0);
  expect(await session.failedClones(phase, wanted)).toBe(0);
  return cloneRequests((await session.lab.control.requests()).api, wanted);
}

const sum = (requests: Map<string, number>) => [...requests.values()].reduce((total, count) => total + count, 0);

it("a clone takes at most 8 requests where PVE answers at once, and none if there is nothing to do", async () => {
  const first = await run("first", clones);
  expect(sum(first) / clones, JSON.stringify([...first])).toBeLessThanOrEqual(8);
  expect([...(await run("second", clones))]).toEqual([]);
});

it("a clone takes at most 5,000 bytes of the stored state", async () => {
  const before = (await session.stateBytes()) ?? 0;
  await run("grow", clones + growth);
  const after = (await session.stateBytes()) ?? 0;
  expect((after - before) / growth).toBeLessThanOrEqual(5000);
});

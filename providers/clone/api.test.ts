import { expect, it } from "vitest";
import { fakeClient } from "../../proxmox/fakeClient.ts";
import type { NodeSlot, Slot } from "../run/limits.ts";
import { Run } from "../run/run.ts";
import { stepsApi } from "./api.ts";
import type { Work } from "./steps/work.ts";

const VM = { node: "pve1", vmId: 9101 };

/** The API of a run in which nothing ever has its turn: `turns` are what it waits for, `asked` what PVE was asked all the same. */
function waiting() {
  const { client, asked } = fakeClient(() => []);
  const turns: string[] = [];
  const run = new Run(client, { limits: { clonesPerTemplate: 1, clonesPerDatastore: 1 } } as never);
  const wait = (turn: string) => {
    turns.push(turn);
    return new Promise<never>(() => {});
  };
  run.limiter.onNode = ({ node, kind }: NodeSlot) => wait(`${kind} on ${node}`);
  run.limiter.run = ({ node, datastore }: Slot) => wait(`${datastore} on ${node}`);
  const inputs = { vmId: 9101, places: [] } as unknown as Work["inputs"];
  const messages = { report: () => {}, progress: () => {}, info: () => {}, warn: () => {} };
  return { api: stepsApi(run, { inputs, messages }), turns, asked };
}

type Api = ReturnType<typeof waiting>["api"];

it.each<[string, string, (api: Api) => unknown]>([
  ["a start", "task on pve1", (api) => api.start(VM, {})],
  ["a start that nobody waits for", "task on pve1", (api) => api.requestStart(VM)],
  ["a reboot", "task on pve1", (api) => api.reboot(VM, 60)],
  ["a snapshot", "task on pve1", (api) => api.takeSnapshot(VM, { name: "before", description: "" })],
  ["the end of a snapshot", "task on pve1", (api) => api.removeSnapshot(VM, "before")],
  ["the end of a disk", "task on pve1", (api) => api.deleteDisk(VM, "scsi1")],
  ["a migration", "migration on pve1", (api) => api.migrate(VM, "pve2", {} as never)],
  ["a guest that is waited for", "guest on pve1", (api) => api.waitUntilReady(VM as never, {} as never, {} as never)],
  ["a guest that gets keys", "guest on pve1", (api) => api.giveKeys(VM as never, {} as never, 60, {} as never)],
  [
    "a disk that moves",
    "fast on pve1",
    (api) => api.moveDisk(VM, { drive: "scsi0", datastore: "fast" } as never, {} as never),
  ],
  [
    "a disk that is added",
    "fast on pve1",
    (api) => api.addDisk(VM, { drive: "scsi1", datastore: "fast", sizeGiB: 1, options: "" } as never, {} as never),
  ],
])("%s has to wait for its turn", async (_what, turn, call) => {
  const { api, turns, asked } = waiting();
  call(api);
  await new Promise((resolve) => setImmediate(resolve));
  expect(turns).toEqual([turn]);
  expect(asked).toEqual([]);
});

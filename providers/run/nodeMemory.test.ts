import { expect, it } from "vitest";
import { ApiError } from "../../proxmox/errors.ts";
import { fakeClient } from "../../proxmox/fakeClient.ts";
import { NodeMemory } from "./nodeMemory.ts";

const NODES = [
  { node: "pve1", status: "online", mem: 3, maxmem: 10 },
  { node: "pve2", status: "offline" },
];

it("is asked for once in a run; what its clones are promised is taken off it", async () => {
  const { client, asked } = fakeClient(() => NODES);
  const memory = new NodeMemory(client);
  const free = await memory.free();
  expect(free).toEqual(new Map([["pve1", 7]]));
  free.set("pve1", 5);
  expect(await memory.free()).toEqual(new Map([["pve1", 5]]));
  expect(asked).toEqual(["GET /nodes"]);
});

it("is asked for again when PVE did not tell: one failure is not the whole run's", async () => {
  const answers: unknown[] = [new ApiError("GET", 500, "not now"), NODES];
  const memory = new NodeMemory(fakeClient(() => answers.shift()).client);
  await expect(memory.free()).rejects.toThrow("not now");
  expect(await memory.free()).toEqual(new Map([["pve1", 7]]));
});

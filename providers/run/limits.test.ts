import { beforeEach, describe, expect, it } from "vitest";
import { ApiError } from "../../proxmox/errors.ts";
import { fakeClient } from "../../proxmox/fakeClient.ts";
import { Limiter, type Slot } from "./limits.ts";

let limiter: Limiter;
let asked: string[];
let messages: string[];
/** What is being worked on, and how each of it ends. */
let working: Map<string, () => void>;

beforeEach(() => {
  messages = [];
  working = new Map();
  const pve = fakeClient((call) =>
    call.includes("broken")
      ? new ApiError("GET", 501, "not implemented")
      : [{ storage: "san", shared: 1 }, { storage: "lvm", shared: 0 }, { storage: "local" }],
  );
  asked = pve.asked;
  limiter = new Limiter(pve.client, { clonesPerTemplate: 2, clonesPerDatastore: 3 });
});

const onWait = (text: string) => messages.push(text);

function work(name: string, turn: Omit<Slot, "onWait">): Promise<string> {
  return limiter.run({ ...turn, onWait }, () => {
    const { promise, resolve } = Promise.withResolvers<string>();
    working.set(name, () => {
      working.delete(name);
      resolve(name);
    });
    return promise;
  });
}

/** The names of what is being worked on, once everything that can begin has begun. */
async function names(): Promise<string[]> {
  await new Promise((resolve) => setImmediate(resolve));
  return [...working.keys()].sort();
}

describe("limiter", () => {
  it("are so many at a time on a datastore; the next begins when one has ended", async () => {
    const all = ["a", "b", "c", "d", "e"].map((name) => work(name, { node: "pve1", datastore: "lvm" }));
    expect(await names()).toEqual(["a", "b", "c"]);
    working.get("b")?.();
    expect(await names()).toEqual(["a", "c", "d"]);
    for (const name of ["a", "c", "d"]) working.get(name)?.();
    await names();
    working.get("e")?.();
    expect(await Promise.all(all)).toEqual(["a", "b", "c", "d", "e"]);
  });

  it.each([
    ["task", 16],
    ["migration", 4],
    ["guest", 8],
  ] as const)("are, of each kind that a node does with its guests, no more than it can do: %s", async (kind, most) => {
    const begun: string[] = [];
    const ends: (() => void)[] = [];
    const begin = (node: string) =>
      limiter.onNode({ node, kind, onWait }, () => {
        begun.push(node);
        return new Promise<void>((resolve) => ends.push(resolve));
      });
    for (let guest = 0; guest < most; guest++) begin("pve1");
    await names();
    expect(messages).toEqual([]);
    begin("pve1");
    begin("pve2");
    work("clone", { node: "pve1", datastore: "lvm" });
    expect(await names()).toEqual(["clone"]);
    expect(messages).toEqual([`waiting for its turn: ${most} at a time on pve1`]);
    expect(begun.filter((node) => node === "pve1")).toHaveLength(most);
    expect(begun).toContain("pve2");
    for (const end of ends.splice(0)) end();
    await names();
    expect(begun).toHaveLength(most + 2);
  });

  it("say why nothing happens while somebody waits", async () => {
    for (const name of ["a", "b", "c"]) work(name, { node: "pve1", datastore: "lvm" });
    await names();
    work("d", { node: "pve1", datastore: "lvm" });
    await names();
    expect(messages).toEqual(["waiting for its turn: 3 at a time on lvm"]);
  });

  it("are fewer from one template", async () => {
    for (const name of ["a", "b", "c"]) work(name, { node: "pve1", datastore: "lvm", sourceVmId: 9000 });
    expect(await names()).toEqual(["a", "b"]);
  });

  it("of local datastores of two nodes do not wait for each other, though they have one name", async () => {
    for (const node of ["pve1", "pve2"])
      for (const name of ["a", "b", "c", "d"]) work(`${node} ${name}`, { node, datastore: "lvm" });
    expect(await names()).toEqual(["pve1 a", "pve1 b", "pve1 c", "pve2 a", "pve2 b", "pve2 c"]);
  });

  it("of a shared datastore are counted over all nodes: it has one lock", async () => {
    for (const node of ["pve1", "pve2"])
      for (const name of ["a", "b"]) work(`${node} ${name}`, { node, datastore: "san" });
    expect(await names()).toEqual(["pve1 a", "pve1 b", "pve2 a"]);
  });

  it("go on after work that failed", async () => {
    const failing = limiter.run({ node: "pve1", datastore: "lvm", onWait }, async () => {
      throw new Error("no space");
    });
    await expect(failing).rejects.toThrow("no space");
    for (const name of ["a", "b", "c"]) work(name, { node: "pve1", datastore: "lvm" });
    expect(await names()).toEqual(["a", "b", "c"]);
  });

  it("ask PVE once for a node's datastores, and take them for local where it does not answer", async () => {
    for (const name of ["a", "b", "c"]) work(name, { node: "broken", datastore: "san" });
    for (const name of ["d", "e"]) work(name, { node: "pve1", datastore: "san" });
    expect(await names()).toEqual(["a", "b", "c", "d", "e"]);
    expect(asked).toEqual(["GET /nodes/broken/storage", "GET /nodes/pve1/storage"]);
  });

  it("ask again after an answer that failed", async () => {
    for (const _ of [1, 2]) await limiter.run({ node: "broken", datastore: "san", onWait }, async () => "done");
    expect(asked).toEqual(["GET /nodes/broken/storage", "GET /nodes/broken/storage"]);
  });
});

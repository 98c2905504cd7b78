import { beforeEach, describe, expect, it } from "vitest";
import type { PveClient } from "../../proxmox/client.ts";
import { ApiError } from "../../proxmox/errors.ts";
import { inTurn, type Turn } from "./turns.ts";

/** Each test has datastores and templates of its own: limits last as long as the process. */
let number = 0;
let client: PveClient;
let asked: string[];
let says: string[];
/** What is being worked on, and how each of it ends. */
let working: Map<string, () => void>;

beforeEach(() => {
  number++;
  asked = [];
  says = [];
  working = new Map();
  const get = async (apiPath: string) => {
    asked.push(apiPath);
    if (apiPath.includes("broken")) throw new ApiError("GET", 595, "No route to host");
    return [{ storage: `san-${number}`, shared: 1 }, { storage: `lvm-${number}` }];
  };
  client = { get } as unknown as PveClient;
});

const lvm = () => `lvm-${number}`;
const san = () => `san-${number}`;
const limits = { clonesPerTemplate: 2, clonesPerDatastore: 3 };

function work(name: string, turn: Turn): Promise<string> {
  return inTurn(
    client,
    turn,
    limits,
    (text) => says.push(text),
    () => {
      const { promise, resolve } = Promise.withResolvers<string>();
      working.set(name, () => {
        working.delete(name);
        resolve(name);
      });
      return promise;
    },
  );
}

/** The names of what is being worked on, once everything that can begin has begun. */
async function names(): Promise<string[]> {
  await new Promise((resolve) => setImmediate(resolve));
  return [...working.keys()].sort();
}

describe("turns", () => {
  it("are so many at a time on a datastore; the next begins when one has ended", async () => {
    const all = ["a", "b", "c", "d", "e"].map((name) => work(name, { node: "pve1", datastore: lvm() }));
    expect(await names()).toEqual(["a", "b", "c"]);
    working.get("b")?.();
    expect(await names()).toEqual(["a", "c", "d"]);
    for (const name of ["a", "c", "d"]) working.get(name)?.();
    await names();
    working.get("e")?.();
    expect(await Promise.all(all)).toEqual(["a", "b", "c", "d", "e"]);
  });

  it("say why nothing happens while somebody waits", async () => {
    for (const name of ["a", "b", "c"]) work(name, { node: "pve1", datastore: lvm() });
    await names();
    work("d", { node: "pve1", datastore: lvm() });
    await names();
    expect(says).toEqual([`waiting for its turn: 3 at a time on ${lvm()}`]);
  });

  it("are fewer from one template", async () => {
    for (const name of ["a", "b", "c"]) work(name, { node: "pve1", datastore: lvm(), sourceVmId: number * 10 });
    expect(await names()).toEqual(["a", "b"]);
  });

  it("of local datastores of two nodes do not wait for each other, though they have one name", async () => {
    for (const node of ["pve1", "pve2"])
      for (const name of ["a", "b", "c", "d"]) work(`${node} ${name}`, { node, datastore: lvm() });
    expect(await names()).toEqual(["pve1 a", "pve1 b", "pve1 c", "pve2 a", "pve2 b", "pve2 c"]);
  });

  it("of a shared datastore are counted over all nodes: it has one lock", async () => {
    for (const node of ["pve1", "pve2"])
      for (const name of ["a", "b"]) work(`${node} ${name}`, { node, datastore: san() });
    expect(await names()).toEqual(["pve1 a", "pve1 b", "pve2 a"]);
  });

  it("go on after work that failed", async () => {
    const failing = inTurn(
      client,
      { node: "pve1", datastore: lvm() },
      limits,
      () => {},
      async () => {
        throw new Error("no space");
      },
    );
    await expect(failing).rejects.toThrow("no space");
    for (const name of ["a", "b", "c"]) work(name, { node: "pve1", datastore: lvm() });
    expect(await names()).toEqual(["a", "b", "c"]);
  });

  it("ask PVE once for a node's datastores, and take them for local where it does not answer", async () => {
    for (const name of ["a", "b", "c"]) work(name, { node: "broken", datastore: san() });
    for (const name of ["d", "e"]) work(name, { node: "pve1", datastore: san() });
    expect(await names()).toEqual(["a", "b", "c", "d", "e"]);
    expect(asked).toEqual(["/nodes/broken/storage", "/nodes/pve1/storage"]);
  });
});

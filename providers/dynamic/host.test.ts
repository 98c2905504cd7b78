import { beforeEach, describe, expect, it, vi } from "vitest";
import { run } from "./host.ts";

const config = { get: () => undefined };
const CODE = "exports.handler = …";

/** What the provider was given, by its last call. */
let given: unknown[];
let fails: Error | undefined;
let found: { outs: object; inputs?: object } | undefined;

// The host imports its module by a path that only the state names; any of them can stand in.
vi.mock("../snippets/provider.ts", () => {
  const call =
    <T>(result: () => T) =>
    async (...args: unknown[]) => {
      given = args.slice(1);
      if (fails) throw fails;
      return result();
    };
  return {
    provider: {
      stateVersion: 2,
      missing: ({ lacks = [] }: { lacks?: string[] }) => lacks,
      migrations: { 1: (old: object) => ({ spec: old }) },
      check: call(() => ({ inputs: { name: "checked" } })),
      diff: call(() => ({ changes: true })),
      create: call(() => ({ id: "9101", outs: { status: "ready" } })),
      update: call(() => ({ status: "ready" })),
      read: call(() => found),
      delete: call(() => undefined),
    },
  };
});

const call = (method: string, ...args: unknown[]) =>
  run("snippets/provider.ts", config, method, args as never[]) as Promise<Record<string, unknown>>;

beforeEach(() => {
  fails = undefined;
  found = undefined;
});

const inputs = { name: "web-1", __provider: CODE };
const state = { stateVersion: 2, spec: { name: "web-1" }, __provider: CODE };
const old = { name: "web-1", __provider: CODE };

describe("a provider", () => {
  it.each([
    ["check", [inputs, inputs], [{ name: "web-1" }, { name: "web-1" }]],
    ["diff", ["9101", state, inputs], ["9101", { spec: { name: "web-1" } }, { name: "web-1" }]],
    ["create", [inputs], [{ name: "web-1" }]],
    ["update", ["9101", state, inputs], ["9101", { spec: { name: "web-1" } }, { name: "web-1" }]],
    ["read", ["9101", state], ["9101", { spec: { name: "web-1" } }]],
    ["delete", ["9101", state], ["9101", { spec: { name: "web-1" } }]],
  ])("sees neither its own code nor the version of a state: %s", async (method, args, seen) => {
    await call(method, ...args);
    expect(given).toEqual(seen);
  });

  it.each([
    ["diff", ["9101", old, inputs]],
    ["update", ["9101", old, inputs]],
    ["read", ["9101", old]],
    ["delete", ["9101", old]],
  ])("gets a state of an earlier version as one of its own: %s", async (method, args) => {
    await call(method, ...args);
    expect(given[1]).toEqual({ spec: { name: "web-1" } });
  });

  it.each(["diff", "update", "read", "delete"])("is not given a state of a newer version: %s", async (method) => {
    given = [];
    await expect(call(method, "9101", { stateVersion: 3 }, inputs)).rejects.toThrow("a newer version of this program");
    expect(given).toEqual([]);
  });

  it("has its state stored with its version", async () => {
    expect(await call("create", inputs)).toEqual({ id: "9101", outs: { stateVersion: 2, status: "ready" } });
    expect(await call("update", "9101", state, inputs)).toEqual({ outs: { stateVersion: 2, status: "ready" } });
    found = { outs: { status: "stopped" }, inputs: { start: false } };
    expect(await call("read", "9101", state)).toEqual({
      id: "9101",
      props: { stateVersion: 2, status: "stopped" },
      inputs: { start: false },
    });
  });

  it("that finds nothing has the resource taken out of the state: its id is empty", async () => {
    expect(await call("read", "9101", state)).toEqual({ id: "", props: {} });
  });
});

describe("inputs that lack what the run leaves out", () => {
  const lacking = { ...inputs, lacks: ["its template"] };

  it.each([
    ["create", [lacking]],
    ["update", ["9101", state, lacking]],
  ])("change nothing: %s", async (method, args) => {
    given = [];
    await expect(call(method, ...args)).rejects.toThrow(
      "its template has never been made, and this run leaves that out. Take it into the run (--target, --exclude)",
    );
    expect(given).toEqual([]);
  });

  it("are no reason not to delete, or to look", async () => {
    await call("delete", "9101", { ...state, lacks: ["its template"] });
    expect(given).toHaveLength(2);
    expect(await call("check", {}, lacking)).toEqual({ inputs: { name: "checked" } });
  });
});

describe("an error", () => {
  it("is passed on without its stack, which the host would print", async () => {
    fails = new Error("VM 9101 is protected");
    const error = await call("delete", "9101", state).catch((one) => one);
    expect(error).toBe(fails);
    expect(error.stack).toBe("");
    expect(error).not.toHaveProperty("properties");
  });

  it.each([
    ["update", ["9101", state, inputs]],
    ["create", [inputs]],
  ])("that leaves a state behind says so as the engine wants it: %s", async (method, args) => {
    // By an `id` the host knows that there is a state, and without its code the resource could never be deleted.
    fails = Object.assign(new Error("no quorum"), { id: "9101", state: { status: "failed" } });
    expect(await call(method, ...args).catch((one) => ({ ...one }))).toMatchObject({
      id: "9101",
      properties: { stateVersion: 2, status: "failed", __provider: CODE },
      reasons: ["no quorum"],
    });
  });
});

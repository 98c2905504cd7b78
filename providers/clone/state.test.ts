import { describe, expect, it } from "vitest";
import { diff } from "./diff.ts";
import { fakeClone } from "./fakeClone.ts";
import type { CloneInputs } from "./inputs.ts";
import { compact, fromVersion1 } from "./state.ts";

type Version1 = Parameters<typeof fromVersion1>[0];

/** A state as version 1 has written it. */
function version1(change: Partial<Version1> = {}, inputs: Partial<CloneInputs> = {}): Version1 {
  const { templateDatastore: _, ...old } = fakeClone(inputs);
  return { ...old, datastore: "local-lvm", node: "pve1", status: "ready", ...change };
}

describe("a state of version 1", () => {
  it("has its inputs as what was brought to the VM, and what it was made from beside them", () => {
    expect(fromVersion1(version1())).toEqual({
      spec: fakeClone({ template: undefined as never }),
      made: { template: "0123456789ab", full: false, datastore: "local-lvm" },
      node: "pve1",
      status: "ready",
      address: "10.0.0.21",
    });
  });

  it.each([
    ["a linked clone", {}, {}],
    ["a full clone on a datastore of its own", { full: true, datastore: "hdd" }, { full: true, datastore: "hdd" }],
    ["a full clone on the template's", { full: true }, { full: true }],
    ["one that is stopped, and need not run", { start: false, status: "stopped" as const }, { start: false }],
  ])("is nothing to do: %s", (_what, old, news) => {
    expect(diff(fromVersion1(version1(old)), fakeClone(news))).toMatchObject({ changes: false, reasons: [] });
  });

  it("keeps all that was known of the guest", () => {
    const known = {
      status: "running" as const,
      address: "10.0.0.99",
      addresses: { eth0: ["10.0.0.99"] },
      pendingReboot: ["memory"],
      error: "after 300 s its guest agent did not answer",
    };
    expect(fromVersion1(version1(known))).toMatchObject(known);
  });

  it("of a clone that was never made says so still, and no address", () => {
    const { template: _, node: _n, ...never } = version1({ status: "failed", error: "no space left" });
    const state = fromVersion1(never);
    expect(state).toMatchObject({ status: "failed", error: "no space left" });
    for (const key of ["made", "node", "address"]) expect(state).not.toHaveProperty(key);
    expect(diff(state, fakeClone())).toMatchObject({ changes: true, replaces: [] });
  });

  it("does not keep the provider's text among what the config says", () => {
    const withCode = Object.assign(version1(), { __provider: "exports.handler = …" });
    expect(fromVersion1(withCode).spec).not.toHaveProperty("__provider");
  });
});

it("a state has nothing that is undefined or empty", () => {
  const state = compact({
    spec: fakeClone(),
    made: undefined,
    node: "pve1",
    status: "ready",
    pendingReboot: [],
  } as never);
  expect(Object.keys(state)).toEqual(["spec", "node", "status"]);
});

import { describe, expect, it } from "vitest";
import { diff, movesAway } from "./diff.ts";
import { fakeClone } from "./fakeClone.ts";
import type { CloneInputs, CloneState } from "./inputs.ts";

const state = (change: Partial<CloneState> = {}): CloneState => ({
  ...fakeClone(),
  node: "pve1",
  status: "ready",
  ...change,
});
const changes = (olds: CloneState, change: Partial<CloneInputs> = {}) => diff(olds, fakeClone(change)).changes;
const places = (...nodes: string[]) => nodes.map((node) => ({ node, sourceVmId: 9000 }));

describe("what has to be done to a clone", () => {
  it("is nothing when nothing has changed", () => {
    expect(diff(state(), fakeClone())).toEqual({ changes: false, replaces: [], deleteBeforeReplace: true });
  });

  it.each([
    ["name", { name: "db-1" }],
    ["hostname", { hostname: "web-1.example.org" }],
    ["ipConfigs", { ipConfigs: ["ip=dhcp"] }],
    ["nics", { nics: [{ vlan: 20 }] }],
    ["nameservers", { nameservers: [] }],
    ["searchDomain", { searchDomain: "example.org" }],
    ["description", { description: "the first" }],
    ["tags", { tags: [] }],
    ["pool", { pool: "web" }],
    ["onBoot", { onBoot: true }],
    ["start", { start: false }],
    ["cores", { cores: 4 }],
    ["memoryMiB", { memoryMiB: 1024 }],
    ["diskGiB", { diskGiB: 40 }],
    ["waitFor", { waitFor: "agent" }],
    ["shutdownSeconds", { shutdownSeconds: 5 }],
  ] satisfies [string, Partial<CloneInputs>][])("a change of %s is made in place", (_key, change) => {
    expect(diff(state(), fakeClone(change))).toMatchObject({ changes: true, replaces: [] });
  });

  it("a linked clone becomes a full one, and the other way round, by being made anew", () => {
    expect(diff(state(), fakeClone({ full: true })).replaces).toEqual(["full"]);
    expect(diff(state({ full: true }), fakeClone()).replaces).toEqual(["full"]);
  });

  it("another datastore makes a full clone anew; of a linked one only new clones are there", () => {
    expect(diff(state({ full: true }), fakeClone({ full: true, datastore: "ceph" })).replaces).toEqual(["datastore"]);
    expect(changes(state(), { datastore: "ceph" })).toBe(false);
  });

  it("another template is for new clones alone, unless the set says that they are to be replaced", () => {
    expect(changes(state(), { template: "other" })).toBe(false);
    const news = fakeClone({ template: "other", onTemplateChange: "replace" });
    expect(diff(state(), news)).toMatchObject({ changes: true, replaces: ["template"] });
  });

  it("a clone that was never made is made, not replaced", () => {
    const { template: _, ...never } = state({ status: "failed" });
    expect(diff(never, fakeClone({ full: true }))).toMatchObject({ changes: true, replaces: [] });
  });

  it("one that failed is tried again", () => {
    expect(changes(state({ status: "failed" }))).toBe(true);
  });

  it("one that is stopped is started, unless it need not run; one that runs although it need not stays so", () => {
    expect(changes(state({ status: "stopped" }))).toBe(true);
    expect(changes(state({ status: "stopped", start: false }), { start: false })).toBe(false);
    expect(changes(state({ status: "running", start: false }), { start: false })).toBe(false);
  });

  it("a pending reboot is nothing to do, until the set says rebootOnChange", () => {
    const pending = state({ pendingReboot: ["memory"] });
    expect(changes(pending)).toBe(false);
    expect(changes(pending, { rebootOnChange: true })).toBe(true);
    expect(changes(state(), { rebootOnChange: true })).toBe(false);
  });

  it("one that runs but is not ready is waited for again only where a rollout depends on it", () => {
    const unready = state({ status: "running", waitFor: "agent", error: "no agent" });
    expect(changes(unready, { waitFor: "agent" })).toBe(false);
    expect(changes(unready, { waitFor: "agent", onTemplateChange: "replace" })).toBe(true);
  });

  it("how a set treats its clones, which no clone needs to know, is no change", () => {
    expect(changes(state(), { maxUnavailable: 3, readyTimeoutSeconds: 5, adopt: true, placement: "memory" })).toBe(
      false,
    );
  });
});

describe("a clone's node", () => {
  it("is left when the config takes it away", () => {
    expect(movesAway(state(), fakeClone({ places: places("pve2") }))).toBe(true);
    expect(changes(state(), { places: places("pve2") })).toBe(true);
  });

  it("stays when it is still one of several, in whatever order", () => {
    const olds = state({ places: places("pve1", "pve2") });
    expect(changes(olds, { places: places("pve2", "pve1") })).toBe(false);
    expect(changes(olds, { places: places("pve3", "pve1") })).toBe(false);
  });

  it("is left alone when somebody else has moved the clone there", () => {
    expect(changes(state({ node: "pve2" }))).toBe(false);
    expect(changes(state({ node: "pve3" }), { places: places("pve2") })).toBe(true);
  });

  it("is no question at preview, while the template is not known", () => {
    expect(changes(state(), { places: "unknown" as never })).toBe(false);
  });
});

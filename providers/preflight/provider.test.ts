import { expect, test } from "vitest";
import { provider } from "./provider.ts";

const state = { statusUrn: "urn", fleetId: "f1ee7000", vmIds: [9000], claims: "c" };
const config = { get: () => undefined };

test("with no config at all the report still comes, and no cluster is asked", async () => {
  const result = await provider.check?.(config, {}, { statusUrn: "urn" });
  expect(result?.failures).toHaveLength(1);
  expect(result?.failures?.[0]?.reason).toContain("FAIL config: cluster: missing");
});

test("the fleet's identity is chosen once and kept", async () => {
  const first = await provider.check?.(config, {}, { statusUrn: "urn" });
  expect(first?.inputs?.fleetId).toMatch(/^[0-9a-f]{8}$/);
  const second = await provider.check?.(config, first?.inputs ?? {}, { statusUrn: "urn" });
  expect(second?.inputs?.fleetId).toBe(first?.inputs?.fleetId);
});

test("nothing changes unless VMIDs, sets, addresses, devices or names do; it is never replaced", async () => {
  const diff = (news: object) => provider.diff(config, "id", state, { ...state, ...news });
  expect(await diff({ statusUrn: "another" })).toEqual({ changes: false, replaces: [] });
  expect(await diff({ vmIds: [9000, 9101] })).toEqual({ changes: true, replaces: [] });
  expect(await diff({ sets: { web: { vmIds: [9101], templates: [9000] } } })).toMatchObject({ changes: true });
  expect(await diff({ claims: "d" })).toEqual({ changes: true, replaces: [] });
  expect(await diff({ templateNames: { 9000: "noble" } })).toEqual({ changes: true, replaces: [] });
});

test("its state is what it was given", async () => {
  expect(await provider.create(config, state)).toEqual({ id: "f1ee7000", outs: state });
  expect(await provider.update(config, "id", state, { ...state, vmIds: [9000, 9101] })).toEqual({
    ...state,
    vmIds: [9000, 9101],
  });
  expect(await provider.read(config, "id", state)).toEqual({ outs: state });
});

import { describe, expect, it } from "vitest";
import { migrated, stored } from "./states.ts";

const provider = {
  stateVersion: 3,
  migrations: {
    1: ({ address, ...rest }: { address?: string }) => ({ ...rest, addresses: [address] }),
    2: (old: object) => ({ spec: old }),
  } as Readonly<Record<number, (old: object) => object>>,
};

describe("a state", () => {
  it("is stored with its version, which nobody else sees", () => {
    const state = { spec: { name: "web-1" } };
    expect(stored(provider, state)).toEqual({ stateVersion: 3, ...state });
    expect(migrated(provider, stored(provider, state))).toEqual(state);
  });

  it("of an earlier version is brought to this one, step by step", () => {
    expect(migrated(provider, { stateVersion: 2, name: "web-1" })).toEqual({ spec: { name: "web-1" } });
    expect(migrated(provider, { stateVersion: 1, name: "web-1", address: "10.0.0.21" })).toEqual({
      spec: { name: "web-1", addresses: ["10.0.0.21"] },
    });
  });

  it("without a version is of the first", () => {
    expect(migrated(provider, { address: "10.0.0.21" })).toEqual({ spec: { addresses: ["10.0.0.21"] } });
  });

  it("stays as it is where nothing has to be done to it", () => {
    expect(migrated({ stateVersion: 2 }, { name: "web-1" })).toEqual({ name: "web-1" });
  });

  it("of a newer version is refused: this one would lose what it does not know", () => {
    expect(() => migrated(provider, { stateVersion: 4 })).toThrow(
      "the state was written by a newer version of this program (state version 4; this one knows 3): update the checkout",
    );
  });
});

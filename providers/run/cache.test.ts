import { expect, it } from "vitest";
import { Cache } from "./cache.ts";

it("asks once for each key, however many want to know", async () => {
  const cache = new Cache<number>();
  let asked = 0;
  const ask = async () => ++asked;
  expect(await Promise.all([cache.get("a", ask), cache.get("a", ask), cache.get("b", ask)])).toEqual([1, 1, 2]);
});

it("asks again after a failure, which all who waited for it are told", async () => {
  const cache = new Cache<string>();
  const refused = async () => {
    throw new Error("refused");
  };
  const both = await Promise.allSettled([cache.get("a", refused), cache.get("a", refused)]);
  expect(both.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  expect(await cache.get("a", async () => "well")).toBe("well");
});

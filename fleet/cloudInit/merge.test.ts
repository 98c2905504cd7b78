import fc from "fast-check";
import { expect, test } from "vitest";
import { merge } from "./merge.ts";

test("maps are merged deeply; lists and scalars of the second win", () => {
  const ours = { a: 1, map: { keep: true, list: [1, 2], deep: { x: 1 } }, list: ["a"] };
  const theirs = { map: { list: [3], deep: { y: 2 } }, list: [], a: null };
  expect(merge(ours, theirs)).toEqual({ a: null, map: { keep: true, list: [3], deep: { x: 1, y: 2 } }, list: [] });
});

test("a map takes the place of a scalar, and the other way round", () => {
  expect(merge({ a: 1, b: { c: 1 } }, { a: { c: 1 }, b: 1 })).toEqual({ a: { c: 1 }, b: 1 });
});

test("our keys keep their order, theirs follow in alphabetical order at every depth", () => {
  const text = JSON.stringify(merge({ z: 1, b: {} }, { y: [{ d: 1, c: 1 }], a: { f: 1, e: 1 }, b: { h: 1, g: 1 } }));
  expect(text).toBe('{"z":1,"b":{"g":1,"h":1},"a":{"e":1,"f":1},"y":[{"c":1,"d":1}]}');
});

test("property: nothing over a map changes nothing, a map over nothing is the map", () => {
  const map = fc.dictionary(fc.string(), fc.jsonValue());
  fc.assert(
    fc.property(map, (value) => {
      const plain = JSON.parse(JSON.stringify(value));
      expect(merge(plain, {})).toEqual(plain);
      expect(merge({}, plain)).toEqual(plain);
      expect(merge(plain, plain)).toEqual(plain);
    }),
  );
});

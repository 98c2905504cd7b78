import { expect, test } from "vitest";
import { parseOptions, UsageError } from "./options.ts";

const parse = (...args: string[]) => parseOptions(args, ["ours", "opentofu"], "results");

test("unless said otherwise everybody takes part, in all phases, three times, under all conditions", () => {
  expect(parse()).toEqual({
    contenders: ["ours", "opentofu"],
    clones: [100],
    conditions: ["instant", "node"],
    phases: ["first", "second", "preview", "grow", "destroy"],
    runs: 3,
    json: false,
    out: "results",
  });
});

test("parts are chosen by lists", () => {
  const options = parse("--contenders", "ours", "--clones=100,1000", "--conditions", "node", "--runs", "1", "--json");
  expect(options).toMatchObject({
    contenders: ["ours"],
    clones: [100, 1000],
    conditions: ["node"],
    runs: 1,
    json: true,
  });
});

test("phases are gone through in their own order, however they are named", () => {
  expect(parse("--phases", "preview, second").phases).toEqual(["second", "preview"]);
});

test("a number of clones that is named twice is measured once", () => {
  expect(parse("--clones", "100,10,100").clones).toEqual([100, 10]);
});

test.each([
  [["--contenders", "ours,vagrant"], "vagrant"],
  [["--contenders", ""], "--contenders"],
  [["--clones", "0"], "--clones"],
  [["--clones", ","], "--clones"],
  [["--runs", "1.5"], "--runs"],
  [["--conditions", "lunar"], "instant, node"],
  [["--phases", "second,third"], '--phases: "third" is none of first, second, preview, grow, destroy'],
  [["--phases", ""], "--phases"],
  [["--what"], "--what"],
  [["10"], "usage"],
])("%j is refused, and told why", (args, part) => {
  expect(() => parse(...args)).toThrow(UsageError);
  expect(() => parse(...args)).toThrow(part);
});

import { expect, test } from "vitest";
import { parseOptions, UsageError } from "./options.ts";

const parse = (...args: string[]) => parseOptions(args, ["ours", "opentofu"], "results");

test("unless said otherwise everybody takes part, three times, under all conditions", () => {
  expect(parse()).toEqual({
    contenders: ["ours", "opentofu"],
    clones: [100],
    conditions: ["instant", "node"],
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

test.each([
  [["--contenders", "ours,vagrant"], "vagrant"],
  [["--contenders", ""], "--contenders"],
  [["--clones", "0"], "--clones"],
  [["--runs", "1.5"], "--runs"],
  [["--conditions", "lunar"], "instant, node"],
  [["--what"], "--what"],
  [["10"], "usage"],
  [["--help"], "usage"],
])("%j is refused, and told why", (args, part) => {
  expect(() => parse(...args)).toThrow(UsageError);
  expect(() => parse(...args)).toThrow(part);
});

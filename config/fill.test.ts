import { expect, test } from "vitest";
import { fill, wordsIn } from "./fill.ts";

const words = { name: "web-1", vmId: 9101, ip: "10.0.0.21", n: 1 };

test.each([
  ["{name} is {vmId} at {ip}, number {n}", "web-1 is 9101 at 10.0.0.21, number 1"],
  ["$" + "{name} of the shell, {{name}} of Jinja", "$" + "{name} of the shell, {{name}} of Jinja"],
  ["{other} { name } {}", "{other} { name } {}"],
  ["awk '{print $1}' {name}", "awk '{print $1}' web-1"],
])("%s", (text, filled) => {
  expect(fill(text, words)).toBe(filled);
});

test("texts are filled wherever they stand, keys are not", () => {
  expect(fill({ "{name}": ["{n}", { deep: "{ip}" }], number: 1, none: null }, words)).toEqual({
    "{name}": ["1", { deep: "10.0.0.21" }],
    number: 1,
    none: null,
  });
});

test("a word that a clone does not have stays, and is known", () => {
  expect(fill("{ip}", { name: "web-1", vmId: 9101, n: 1 })).toBe("{ip}");
  expect([...wordsIn({ a: ["{ip} {n}"], b: "$" + "{name}" })]).toEqual(["ip", "n"]);
});

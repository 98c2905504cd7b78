import fc from "fast-check";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { toYaml } from "./yaml.ts";

test("a long line is not folded", () => {
  const line = "word ".repeat(100).trim();
  expect(toYaml({ line })).toBe(`line: ${line}\n`);
});

test("what YAML 1.1 takes for something else stands in quotes", () => {
  const words = ["yes", "off", "n", "~", "null", "0644", "1:20", "2024-01-01", "1_000", "=", "<<", "", "# no", "a: b"];
  for (const word of words) expect(toYaml([word])).toBe(`- ${JSON.stringify(word)}\n`);
});

test("characters that PyYAML refuses or takes for line breaks are escaped", () => {
  expect(toYaml(["a\u0085b\u2028c\u007fd"])).toBe('- "a\\u0085b\\u2028c\\u007fd"\n');
});

test("the same map twice is written twice, without anchors", () => {
  const map = { a: 1 };
  expect(toYaml([map, map])).toBe("- a: 1\n- a: 1\n");
});

test("property: it parses back to what was put in, as YAML 1.1 and 1.2", () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const plain = JSON.parse(JSON.stringify(value));
      const text = toYaml(plain);
      expect(parse(text, { version: "1.1" })).toEqual(plain);
      expect(parse(text, { version: "1.2" })).toEqual(plain);
    }),
    { numRuns: 500 },
  );
});

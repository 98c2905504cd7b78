import { expect, test } from "vitest";
import { z } from "zod";
import { ConfigError, found, problemsOf } from "./problem.ts";

test("all problems are in the error's message", () => {
  const error = new ConfigError([{ path: "a", message: "b" }], "See docs/configuration.md.");
  expect(error.message).toBe("1 problem in the stack config:\n  - a: b\nSee docs/configuration.md.");
  expect(new ConfigError([...error.problems, ...error.problems], "").message).toMatch(/^2 problems/);
});

test("a long value is cut, a map and a list are named", () => {
  const texts = (schema: z.ZodType, raw: unknown) => {
    const { error } = schema.safeParse(raw);
    return error ? problemsOf(error, raw, { at: ["x"], keysAt: () => [] }).map(({ message }) => message) : [];
  };
  expect(texts(z.int(), "a".repeat(100))).toEqual([`found "${"a".repeat(76)}…; expected a number`]);
  expect(texts(z.int(), { a: 1 })).toEqual(["found a map; expected a number"]);
  expect(texts(z.int(), [1, 2])).toEqual(["found a list of 2; expected a number"]);
  expect(texts(z.array(z.int()).max(1), [1, 2])).toEqual(["found a list of 2; expected at most 1 item"]);
});

test("what is secret is not shown, whatever its kind", () => {
  const hidden = (place: string) => place === "templates.noble.description";
  for (const value of ["hunter2", 12345, ["hunter2"], true]) {
    expect(found(value, "templates.noble.description", hidden)).toBe("the value (secret)");
    expect(found(value, "templates.noble.cloudInit.password")).toBe("the value (secret)");
  }
  expect(found("web", "templates.noble.name", hidden)).toBe('"web"');
});

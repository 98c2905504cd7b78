import { expect, it } from "vitest";
import { changedKeys, diffByKeys } from "./diff.ts";

interface Values {
  name: string;
  tags?: string[];
  node?: string;
}

it("a value that was never set and one that is undefined are the same; lists are compared by what is in them", () => {
  const olds: Values = { name: "a", tags: ["x", "y"] };
  expect(changedKeys<Values>(olds, { name: "a", tags: ["x", "y"] }, ["name", "tags", "node"])).toEqual([]);
  expect(changedKeys<Values>(olds, { name: "a", tags: ["y", "x"] }, ["name", "tags"])).toEqual(["tags"]);
  expect(changedKeys<Values>(olds, { name: "a" }, ["tags"])).toEqual(["tags"]);
});

it("only the keys that are named make a change, and only some of them a new resource", () => {
  const keys = { replacing: ["node"], updating: ["name"] } as const;
  const olds: Values = { name: "a", node: "pve1", tags: [] };
  expect(diffByKeys<Values>(olds, { ...olds, tags: ["x"] }, keys)).toMatchObject({ changes: false, replaces: [] });
  expect(diffByKeys<Values>(olds, { ...olds, name: "b" }, keys)).toMatchObject({ changes: true, replaces: [] });
  expect(diffByKeys<Values>(olds, { ...olds, node: "pve2" }, keys)).toMatchObject({
    changes: true,
    replaces: ["node"],
  });
});

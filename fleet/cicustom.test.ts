import { expect, test } from "vitest";
import { withSnippets } from "./cicustom.ts";

test("a snippet of its own takes the place of the inherited one of its kind", () => {
  expect(
    withSnippets("user=local:snippets/a.yaml,vendor=local:snippets/b.yaml", { vendor: "local:snippets/c.yaml" }),
  ).toBe("user=local:snippets/a.yaml,vendor=local:snippets/c.yaml");
});

test("where nothing is inherited there are its own alone", () => {
  expect(withSnippets(undefined, { vendor: "local:snippets/c.yaml" })).toBe("vendor=local:snippets/c.yaml");
});

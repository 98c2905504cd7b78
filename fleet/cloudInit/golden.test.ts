import { readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { goldens } from "./goldenCases.ts";

const folder = join(import.meta.dirname, "golden");

// To take over a change on purpose: npx vitest run fleet/cloudInit --update
test.each(Object.keys(goldens))("%s is rendered as recorded", async (name) => {
  await expect(goldens[name]).toMatchFileSnapshot(join(folder, name));
});

test("every recorded file is rendered", () => {
  expect(readdirSync(folder).sort()).toEqual(Object.keys(goldens).sort());
});

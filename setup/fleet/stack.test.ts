import { expect, test } from "vitest";
import { PulumiError } from "./cli.ts";
import { chooseStack, findStack, shortName } from "./stack.ts";

const stacks = (...names: string[]) => names.map((name) => ({ name, current: name.endsWith("!") }));

test("the selected stack is taken, or the only one", () => {
  expect(chooseStack(stacks("home", "work!"))).toEqual({ name: "work!", by: "selected" });
  expect(chooseStack(stacks("home"))).toEqual({ name: "home", by: "only" });
});

test("of several nobody guesses; what to do is said", () => {
  expect(chooseStack(stacks("home", "work"))).toMatch(/stacks home and work, and none is selected: add --stack home/);
  expect(chooseStack([])).toMatch(/npm run setup/);
});

test("a stack's file has the last word of its name", () => {
  expect([shortName("me/fleet/home"), shortName("home")]).toEqual(["home", "home"]);
});

test("without a backend it is said how to get one; any other word of Pulumi is passed on", async () => {
  const refusing = (message: string) => async () => {
    throw new PulumiError(message);
  };
  const noLogin = refusing("error: PULUMI_ACCESS_TOKEN must be set for login during non-interactive CLI sessions");
  expect(await findStack(noLogin, undefined)).toMatch(/no backend.*npm run setup/);
  await expect(findStack(refusing("error: no space left"), undefined)).rejects.toThrow("error: no space left");
});

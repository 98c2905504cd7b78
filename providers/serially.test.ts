import { setTimeout as pause } from "node:timers/promises";
import { expect, it } from "vitest";
import { serially } from "./serially.ts";

it("work of one key runs one after the other, and goes on after a failure; other keys do not wait", async () => {
  const log: string[] = [];
  const work =
    (name: string, fails = false) =>
    async () => {
      log.push(`${name} begins`);
      await pause(5);
      log.push(`${name} ends`);
      if (fails) throw new Error(name);
    };
  const done = await Promise.allSettled([
    serially("image", work("first", true)),
    serially("image", work("second")),
    serially("other", work("third")),
  ]);
  expect(done.map(({ status }) => status)).toEqual(["rejected", "fulfilled", "fulfilled"]);
  expect(log.filter((line) => !line.startsWith("third"))).toEqual([
    "first begins",
    "first ends",
    "second begins",
    "second ends",
  ]);
  expect(log.indexOf("third begins")).toBeLessThan(log.indexOf("first ends"));
});

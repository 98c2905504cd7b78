import { setTimeout as pause } from "node:timers/promises";
import { expect, it } from "vitest";
import { Deletions } from "./deletions.ts";

it("a deletion that fails is told when the others have ended, those that began later too", async () => {
  const deletions = new Deletions({ quietMs: 40 });
  const ended: string[] = [];
  const failed = deletions
    .attempt(() => Promise.reject(new Error("protected")))
    .catch((error: Error) => ended.push(error.message));
  await deletions.attempt(async () => {
    await pause(60);
    ended.push("second");
  });
  // The engine begins the next one when one has ended.
  await deletions.attempt(async () => {
    await pause(60);
    ended.push("third");
  });
  await failed;
  expect(ended).toEqual(["second", "third", "protected"]);
});

it("failures do not wait for one another", async () => {
  const deletions = new Deletions({ quietMs: 20 });
  const all = [1, 2, 3].map((n) => deletions.attempt(() => Promise.reject(new Error(String(n)))));
  expect((await Promise.allSettled(all)).map(({ status }) => status)).toEqual(["rejected", "rejected", "rejected"]);
});

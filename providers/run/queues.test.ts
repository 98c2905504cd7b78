import { expect, it } from "vitest";
import { Queues } from "./queues.ts";

it("does work of one key in turn, of different keys side by side; a failure stops nobody", async () => {
  const queues = new Queues();
  const done: string[] = [];
  const { promise: gate, resolve: open } = Promise.withResolvers<void>();
  const first = queues.run("a", async () => {
    await gate;
    done.push("a1");
    throw new Error("no");
  });
  const second = queues.run("a", async () => done.push("a2"));
  await queues.run("b", async () => done.push("b1"));
  open();
  await expect(first).rejects.toThrow("no");
  await second;
  expect(done).toEqual(["b1", "a1", "a2"]);
});

import * as pulumi from "@pulumi/pulumi";
import { expect, test } from "vitest";
import { settled } from "./settled.ts";

/** The output as it is, with whether it is known and secret. */
async function look(output: pulumi.Output<unknown>) {
  const { promise, isKnown, isSecret } = output as unknown as {
    promise(): Promise<unknown>;
    isKnown: Promise<boolean>;
    isSecret: Promise<boolean>;
  };
  return (await isKnown) ? { value: await promise.call(output), secret: await isSecret } : "unknown";
}

const unknown = () => pulumi.output<unknown>(pulumi.unknown);

test("what has a value keeps it, and stays a secret", async () => {
  expect(await look(settled(pulumi.output(1)))).toEqual({ value: 1, secret: false });
  expect(await look(settled(pulumi.secret(1)))).toEqual({ value: 1, secret: true });
});

test("what an up leaves without one does not make all else unknown", async () => {
  expect(await look(unknown())).toBe("unknown");
  expect(await look(settled(unknown()))).toEqual({ value: undefined, secret: false });
  expect(await look(pulumi.output({ one: 1, other: settled(unknown()) }))).toMatchObject({ value: { one: 1 } });
});

test("at preview it is unknown as ever", async () => {
  const mocks = { newResource: () => ({ id: "", state: {} }), call: () => ({}) };
  await pulumi.runtime.setMocks(mocks, "project", "stack", true);
  expect(await look(settled(unknown()))).toBe("unknown");
});

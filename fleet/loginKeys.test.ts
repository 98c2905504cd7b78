import { expect, test } from "vitest";
import { PUBLIC_KEY } from "../config/testing.ts";
import { keysHash, keysInput } from "./loginKeys.ts";

const OTHER_KEY = PUBLIC_KEY.replace("demo", "other");

test("keys are the same in another order, and others with another key or another user", () => {
  const hash = keysHash({ user: "ops", keys: [PUBLIC_KEY, OTHER_KEY] });
  expect(keysHash({ user: "ops", keys: [OTHER_KEY, PUBLIC_KEY] })).toBe(hash);
  expect(keysHash({ user: "ops", keys: [PUBLIC_KEY] })).not.toBe(hash);
  expect(keysHash({ user: "root", keys: [PUBLIC_KEY, OTHER_KEY] })).not.toBe(hash);
});

test("keys travel in ASCII, and their end can be told", () => {
  expect(keysInput(["ssh-ed25519 AAAA me@home", "ssh-rsa AAAB Jürgen's\\n"])).toBe(
    "ssh-ed25519 AAAA me@home\nssh-rsa AAAB J\\0303\\0274rgen's\\0134n\nend\n",
  );
});

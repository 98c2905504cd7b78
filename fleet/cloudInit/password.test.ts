import { verify } from "unixcrypt";
import { expect, test } from "vitest";
import { hashPassword } from "./password.ts";

test("it is SHA-512 crypt with a salt of 16 characters that the password fits", () => {
  const hash = hashPassword("correct horse", "fleet/noble");
  expect(hash).toMatch(/^\$6\$[./0-9A-Za-z]{16}\$[./0-9A-Za-z]{86}$/);
  expect(verify("correct horse", hash)).toBe(true);
});

test("the same password gives the same hash, so that a second run changes nothing", () => {
  expect(hashPassword("correct horse", "fleet/noble")).toBe(hashPassword("correct horse", "fleet/noble"));
});

test("another source gives another salt, another password does not", () => {
  const salt = (hash: string) => hash.split("$")[2];
  expect(salt(hashPassword("a", "fleet/noble"))).not.toBe(salt(hashPassword("a", "fleet/trixie")));
  expect(salt(hashPassword("a", "fleet/noble"))).toBe(salt(hashPassword("b", "fleet/noble")));
});

// As given by: openssl passwd -6 -salt 'YfI2A7Kh0/JFuTAe' 'pässword'
test("it is what other tools make of the same password and salt", () => {
  expect(hashPassword("pässword", "x")).toBe(
    "$6$YfI2A7Kh0/JFuTAe$CQPXdePKSQL0JSsfZQiw6xP0BVLmviqzMCo01rVb.FPJvx25HWbLutyJtTkkPGctMtyHkWo8DHow1RfPazvCA1",
  );
});

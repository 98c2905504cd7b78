import { expect, test } from "vitest";
import { serialOf, withSerial } from "./smbios.ts";
import { smbiosSerial } from "./smbiosSerial.ts";

const UUID = "uuid=11111111-2222-3333-4444-555555555555";
const SERIAL = `serial=${Buffer.from("ds=nocloud;h=a").toString("base64")}`;

test("the uuid stays, the serial is in base64", () => {
  expect(withSerial(UUID, "ds=nocloud;h=a")).toBe(`${UUID},base64=1,${SERIAL}`);
});

test("a VM without smbios1 gets one", () => {
  expect(withSerial(undefined, "ds=nocloud;h=a")).toBe(`base64=1,${SERIAL}`);
});

test("an earlier serial is replaced; twice is the same as once", () => {
  const once = withSerial(`base64=1,serial=b2xk,${UUID}`, "ds=nocloud;h=a");
  expect(once).toBe(`base64=1,${SERIAL},${UUID}`);
  expect(withSerial(once, "ds=nocloud;h=a")).toBe(once);
});

test("plain texts are put in base64 too, as base64=1 is for all of them", () => {
  expect(withSerial(`family=Golden,${UUID}`, "ds=nocloud;h=a")).toBe(`family=R29sZGVu,${UUID},base64=1,${SERIAL}`);
});

test("it stays below PVE's 512 characters with the longest host name and all that the serial can say", () => {
  const more = { instanceId: "11111111-2222-3333-4444-555555555555", network: "9b0e4d1a" };
  expect(withSerial(UUID, smbiosSerial("a".repeat(253), more)).length).toBeLessThanOrEqual(512);
});

test("the serial is read back, in base64 or not", () => {
  expect(serialOf(withSerial(UUID, "ds=nocloud;h=a"))).toBe("ds=nocloud;h=a");
  expect(serialOf(`${UUID},serial=42`)).toBe("42");
  expect(serialOf(`base64=0,serial=42,${UUID}`)).toBe("42");
  expect(serialOf(UUID)).toBeUndefined();
  expect(serialOf(undefined)).toBeUndefined();
});

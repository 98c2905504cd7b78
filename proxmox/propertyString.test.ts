import { expect, it } from "vitest";
import { formatProperties, parseProperties } from "./propertyString.ts";

it.each([
  ["virtio=BC:24:11:00:00:01,bridge=vmbr0,tag=7", { virtio: "BC:24:11:00:00:01", bridge: "vmbr0", tag: "7" }],
  ["local-lvm:vm-9000-disk-0,size=20G", { "": "local-lvm:vm-9000-disk-0", size: "20G" }],
  ["ip6=2001:db8::9/64", { ip6: "2001:db8::9/64" }],
  ["serial=ZHM9bm9jbG91ZA==", { serial: "ZHM9bm9jbG91ZA==" }],
  ["1", { "": "1" }],
])("%s is read and written as PVE has it", (text, fields) => {
  expect(Object.fromEntries(parseProperties(text))).toEqual(fields);
  expect(formatProperties(parseProperties(text))).toBe(text);
});

it("an option that is not there has no properties", () => {
  expect(parseProperties(undefined).size).toBe(0);
});

import { expect, test } from "vitest";
import { differences, matches, steadyLines } from "./compare.ts";

test("placeholders stand for what varies, and for nothing else", () => {
  expect(matches("virtio=MAC,bridge=vmbr0", "virtio=BC:24:11:00:00:01,bridge=vmbr0")).toBe(true);
  expect(matches("virtio=MAC,bridge=vmbr0", "virtio=BC:24:11:00:00:01,bridge=vmbr1")).toBe(false);
  expect(matches("creation-qemu=10.0.2,ctime=CTIME", "creation-qemu=10.0.2,ctime=1795384544")).toBe(true);
  expect(matches("NUM", 12)).toBe(true);
  expect(matches("TASK OK", "TASK ERROR: x")).toBe(false);
});

test("an exact comparison sees keys that were not recorded", () => {
  expect(differences({ a: 1 }, { a: 1, b: 2 }, false)).toEqual([".b: 2, not recorded"]);
  expect(differences({ a: 1 }, { a: 1, b: 2 }, true)).toEqual([]);
});

test("an absent key must be absent", () => {
  expect(differences({ lock: "<absent>" }, {}, true)).toEqual([]);
  expect(differences({ lock: "<absent>" }, { lock: "clone" }, true)).toHaveLength(1);
});

test("lists are compared in the recorder's order", () => {
  expect(differences([{ vmid: 2 }, { vmid: 1 }], [{ vmid: 1 }, { vmid: 2 }], true)).toEqual([]);
  expect(differences([{ vmid: 1 }], [{ vmid: 1 }, { vmid: 2 }], true)).toHaveLength(1);
});

test("progress is no part of a log", () => {
  expect(steadyLines(["    64K ........ 33% 37M 0s", "transferred 1.0 MiB of 2.0 MiB (50.00%)", "TASK OK"])).toEqual([
    "TASK OK",
  ]);
});

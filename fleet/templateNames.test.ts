import { expect, it } from "vitest";
import { firstKey, firstPath } from "./templateNames.ts";

const names = { 9000: "noble", 9001: "noble-pve2" };
const golden = { path: "templates.golden", vmId: 9000, node: "pve1", nodes: ["pve1", "pve2"] };

it("knows a template by its VMID, whatever its key is now", () => {
  expect([firstKey("golden", 9000, names), firstKey("golden", 9010, names)]).toEqual(["noble", "golden"]);
  expect(firstPath(golden, names)).toBe("templates.noble");
  expect(firstPath({ ...golden, vmId: 9010, nodes: undefined }, names)).toBe("templates.golden");
});

it("gives a replica the path of the template that it is a replica of", () => {
  expect(firstPath({ ...golden, vmId: 9001, node: "pve2" }, names)).toBe("templates.noble");
});

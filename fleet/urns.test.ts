import { expect, it } from "vitest";
import { cloneUrn, resourceUrn, TEMPLATE_TYPE, templatePart, vmUrn } from "./urns.ts";

const scope = { project: "proxmox-golden-fleet", stack: "prod" };

it("knows the URN of a clone by its VMID alone", () => {
  expect(cloneUrn("organization/proxmox-golden-fleet/prod", 9101)).toBe(
    "urn:pulumi:prod::proxmox-golden-fleet::golden-fleet:index:CloneSet$pulumi-nodejs:dynamic/golden-fleet:Clone::vm-9101",
  );
});

it.each([templatePart(9000, "conversion"), "noble-9000-conversion"])("knows the VM of %s", (name) => {
  expect(vmUrn(resourceUrn(scope, "TemplateConversion", name, TEMPLATE_TYPE))).toBe(
    `urn:pulumi:prod::proxmox-golden-fleet::golden-fleet:index:VmTemplate$proxmoxve:index/vmLegacy:VmLegacy::${name.replace("conversion", "vm")}`,
  );
});

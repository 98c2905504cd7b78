import { describe, expect, test } from "vitest";
import { existingTemplate } from "../../config/existing.ts";
import { addsNic, hasNic } from "../../config/fleet.ts";
import { cloneOptions } from "../../fleet/cloneOptions.ts";
import { templateFacts } from "./templateFacts.ts";

const of = (config: object) =>
  existingTemplate(
    "templates.win",
    templateFacts(
      { vmId: 900, node: "pve1" },
      { name: "win", template: 1, scsi0: "local-lvm:base-900-disk-0,size=4G", ...config },
    ),
  );

describe("a template that has no first network interface", () => {
  const template = of({
    net1: "virtio=BC:24:11:00:00:01,bridge=vmbr1,tag=7",
    net3: "virtio=BC:24:11:00:00:02,bridge=vmbr3",
  });

  test("has the others by the numbers that PVE has", () => {
    expect([0, 1, 2, 3, 4].map((index) => hasNic(template, index))).toEqual([false, true, false, true, false]);
    expect(template.nics[1]).toMatchObject({ bridge: "vmbr1", vlan: 7 });
    const nics = [{ bridge: "vmbr0" }, { bridge: "vmbr9" }, {}, {}, {}];
    expect(nics.map((_nic, index) => addsNic(template, { nics }, index))).toEqual([true, false, false, false, true]);
  });
});

test("devices of its own take the place of all that it has, whatever their numbers", () => {
  const template = of({ hostpci1: "mapping=a1,x-vga=1", usb2: "mapping=key" });
  expect(template.gpus).toMatchObject([{ mapping: "a1" }]);
  expect(cloneOptions({ gpus: [], usb: [{ mapping: "other" }] }, template)).toEqual({
    hostpci0: "",
    hostpci1: "",
    usb0: "mapping=other",
    usb1: "",
    usb2: "",
    vga: "std",
  });
});

test("its protection and the addresses of its own interfaces are not for its clones", () => {
  expect(of({ protection: 1, ipconfig0: "ip=10.0.0.9/24", ipconfig1: "ip=10.1.0.9/24" }).existing.uninherited).toEqual([
    "ipconfig0",
    "ipconfig1",
    "protection",
  ]);
});

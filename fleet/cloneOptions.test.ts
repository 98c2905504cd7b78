import { describe, expect, it } from "vitest";
import { templateSchema } from "../config/template.ts";
import { cloneOptions } from "./cloneOptions.ts";

const template = (more: object = {}) => templateSchema.parse({ vmId: 9000, image: { url: "http://m/n.img" }, ...more });
const gpu = (more: object = {}) => ({ mapping: "gpu", pcie: true, primary: false, romBar: true, ...more });

it("a clone without hardware of its own has no option of its own", () => {
  expect(cloneOptions({}, template())).toEqual({});
});

it("options are written as PVE does", () => {
  const own = {
    cpuLimit: 1.5,
    cpuUnits: 200,
    affinity: "0,5,8-11",
    numa: false,
    protection: true,
    startup: { order: 0, downSeconds: 60 },
  };
  expect(cloneOptions(own, template())).toEqual({
    cpulimit: "1.5",
    cpuunits: "200",
    affinity: "0,5,8-11",
    numa: "0",
    protection: "1",
    startup: "order=0,down=60",
  });
});

it("nothing to plug in is 0 in PVE", () => {
  expect(cloneOptions({ hotplug: [] }, template())).toEqual({ hotplug: "0" });
  expect(cloneOptions({ hotplug: ["network", "usb"] }, template())).toEqual({ hotplug: "network,usb" });
});

describe("devices", () => {
  it("take the place of all that the template has", () => {
    const two = template({ gpus: [{ mapping: "a1" }, { mapping: "a2" }] });
    expect(cloneOptions({ gpus: [gpu({ mdev: "nvidia-63" })] }, two)).toEqual({
      hostpci0: "mapping=gpu,mdev=nvidia-63,pcie=1,rombar=1",
      hostpci1: "",
    });
    expect(cloneOptions({ gpus: [] }, two)).toEqual({ hostpci0: "", hostpci1: "" });
  });

  it("bring the display with them, and take it away, as a primary GPU asks for", () => {
    const { vga, ...devices } = cloneOptions({ gpus: [gpu({ primary: true })] }, template());
    expect(vga).toBe("none");
    expect(devices.hostpci0).toMatch(/,x-vga=1$/);
    const primary = template({ gpus: [{ mapping: "a1", primary: true }] });
    expect(cloneOptions({ gpus: [] }, primary).vga).toBe("std");
    expect(cloneOptions({ gpus: [gpu({ primary: true })] }, template({ vga: { type: "virtio" } })).vga).toBeUndefined();
  });

  it("are USB ones, too", () => {
    expect(cloneOptions({ usb: [{ mapping: "key" }, { mapping: "scanner" }] }, template())).toEqual({
      usb0: "mapping=key",
      usb1: "mapping=scanner",
    });
  });
});

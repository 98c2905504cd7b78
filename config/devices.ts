import { z } from "zod";
import { mappingId, mdevType, pciAddress } from "./formats.ts";

/** Devices of a node that a VM gets. */

export const gpu = z
  .strictObject({
    mapping: mappingId.optional().describe("PCI mapping of the cluster; the way that works with an API token"),
    id: pciAddress.optional().describe("raw PCI address; needs a root@pam password login"),
    pcie: z.boolean().default(true).describe("PCIe port instead of PCI; needs machine q35"),
    primary: z.boolean().default(false).describe("primary GPU, replaces the emulated display (PVE: x-vga)"),
    romBar: z.boolean().default(true).describe("show the device's ROM to the guest (PVE: rombar)"),
    mdev: mdevType.optional().describe("type of mediated device (PVE: mdev)"),
  })
  .refine((value) => (value.mapping === undefined) !== (value.id === undefined), {
    error: "expected exactly one of mapping and id",
  });

export type Gpu = z.output<typeof gpu>;

export const usb = z.strictObject({ mapping: mappingId.describe("USB mapping of the cluster (PVE: mapping)") });

export type Usb = z.output<typeof usb>;

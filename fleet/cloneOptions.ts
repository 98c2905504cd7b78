import type { Hardware, Startup } from "../config/cloneSet.ts";
import type { Gpu } from "../config/devices.ts";
import type { CloneSource } from "../config/fleet.ts";

/** Options of a VM as PVE writes them, by their name in PVE; an empty text: the VM does not have that option. */
export type PveOptions = Record<string, string>;

function startupText({ order, upSeconds, downSeconds }: Startup): string {
  const parts = { order, up: upSeconds, down: downSeconds };
  return Object.entries(parts)
    .flatMap(([key, value]) => (value === undefined ? [] : [`${key}=${value}`]))
    .join(",");
}

function hostpci({ mapping, id, pcie, primary, romBar, mdev }: Gpu): string {
  const parts = {
    ...(mapping === undefined ? { host: id } : { mapping }),
    mdev,
    pcie: pcie ? 1 : 0,
    rombar: romBar ? 1 : 0,
    "x-vga": primary ? 1 : undefined,
  };
  return Object.entries(parts)
    .flatMap(([key, value]) => (value === undefined ? [] : [`${key}=${value}`]))
    .join(",");
}

/** `<name>0`, `<name>1`, …, and that there are none of them after that, up to `others`. */
function numbered(name: string, values: readonly string[], others: number): PveOptions {
  const count = Math.max(values.length, others);
  return Object.fromEntries(Array.from({ length: count }, (_none, index) => [`${name}${index}`, values[index] ?? ""]));
}

/** A primary GPU takes the place of the emulated display. */
function display(gpus: readonly Gpu[], { gpus: inherited, vga }: Pick<CloneSource, "gpus" | "vga">): PveOptions {
  const isPrimary = (list: readonly Gpu[]) => list.some(({ primary }) => primary);
  if (vga.type !== undefined || isPrimary(gpus) === isPrimary(inherited)) return {};
  const memory = vga.memoryMiB === undefined ? "" : `,memory=${vga.memoryMiB}`;
  return { vga: `${isPrimary(gpus) ? "none" : "std"}${memory}` };
}

/** What of a clone's hardware is not the template's, as far as PVE has an option for it that stands for itself. */
export function cloneOptions(
  { cpuLimit, cpuUnits, affinity, numa, hotplug, protection, startup, gpus, usb }: Hardware,
  template: Pick<CloneSource, "gpus" | "vga" | "existing">,
): PveOptions {
  const slots = template.existing?.slots;
  return {
    ...(cpuLimit !== undefined && { cpulimit: String(cpuLimit) }),
    ...(cpuUnits !== undefined && { cpuunits: String(cpuUnits) }),
    ...(affinity !== undefined && { affinity }),
    ...(numa !== undefined && { numa: numa ? "1" : "0" }),
    ...(hotplug !== undefined && { hotplug: hotplug.join(",") || "0" }),
    ...(protection !== undefined && { protection: protection ? "1" : "0" }),
    ...(startup !== undefined && { startup: startupText(startup) }),
    ...(gpus !== undefined && {
      ...numbered("hostpci", gpus.map(hostpci), Math.max(template.gpus.length, slots?.hostpci ?? 0)),
      ...display(gpus, template),
    }),
    ...(usb !== undefined &&
      numbered(
        "usb",
        usb.map(({ mapping }) => `mapping=${mapping}`),
        slots?.usb ?? 0,
      )),
  };
}

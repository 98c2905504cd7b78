import type { CloneSource } from "./fleet.ts";

/** Names of the disks in config order: the boot disk first, then the next free number of each disk's bus. */
export function diskNames({
  disk,
  extraDisks,
  existing,
}: Pick<CloneSource, "disk" | "extraDisks" | "existing">): string[] {
  // Somebody else has named them.
  if (existing) return existing.diskDrives;
  const used = new Map<string, number>();
  return [disk, ...extraDisks].map(({ bus }) => {
    const index = used.get(bus) ?? 0;
    used.set(bus, index + 1);
    return `${bus}${index}`;
  });
}

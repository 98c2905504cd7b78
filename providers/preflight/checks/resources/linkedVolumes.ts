import type { Facts } from "../../facts.ts";

/** VMIDs of the disks that are linked to a template's, on datastores that show it in the volume id. */
export async function linkedVmIds(
  facts: Facts,
  { node, vmId, datastores }: { node: string; vmId: number; datastores: readonly string[] },
): Promise<number[]> {
  const base = new RegExp(`[:/]base-${vmId}-`);
  const volumes = await Promise.all([...new Set(datastores)].map((datastore) => facts.volumes(node, datastore)));
  const linked = volumes.flat().flatMap((volume) => {
    const found = base.test(volume.volid) || base.test(`/${volume.parent ?? ""}`);
    return found && volume.vmid !== undefined && volume.vmid !== vmId ? [volume.vmid] : [];
  });
  return [...new Set(linked)].sort((a, b) => a - b);
}

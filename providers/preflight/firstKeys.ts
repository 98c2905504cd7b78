import type { Fleet } from "../../config/fleet.ts";
import type { TemplateNames } from "../../fleet/templateNames.ts";
import type { PveClient } from "../../proxmox/client.ts";
import { lookUp } from "../guest/lookUp.ts";

/**
 * The keys that templates had first: as the state says, or, where it is of a version that did not remember them, as the marks
 * of the VMs say.
 */
export async function firstKeys(
  client: PveClient,
  { templates }: Pick<Fleet, "templates">,
  before: { fleetId?: string; vmIds?: readonly number[]; templateNames?: TemplateNames },
): Promise<TemplateNames> {
  const { fleetId, vmIds = [], templateNames = {} } = before;
  const firstKey = async (key: string, vmId: number, node: string): Promise<string> => {
    const known = templateNames[vmId];
    if (known !== undefined || fleetId === undefined || !vmIds.includes(vmId)) return known ?? key;
    // What cannot be looked at is told by a check.
    const found = await lookUp(client, { vmId, fleetId, node }).catch(() => undefined);
    const mark = found?.kind === "vm" && found.owner === "ours" ? found.mark : undefined;
    return /^templates\.(.+)$/.exec(mark?.resource ?? "")?.[1] ?? key;
  };
  const entries = Object.entries(templates).map(
    async ([key, { vmId, node }]) => [vmId, await firstKey(key, vmId, node)] as const,
  );
  return Object.fromEntries(await Promise.all(entries));
}

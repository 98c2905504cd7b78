import type { Fleet } from "../../config/fleet.ts";
import { type Requirement, requirementsOf, type Surroundings } from "../../providers/preflight/requirements.ts";
import { surroundingsOf } from "../../providers/preflight/surroundings.ts";
import type { PveClient } from "../../proxmox/client.ts";
import { listInterfaces, listVnets, readVersion } from "../../proxmox/cluster.ts";
import { listGuests } from "../../proxmox/guests.ts";

/** What of the cluster decides which privileges the config needs, as preflight will ask it. */
export const surroundingsFrom = (client: PveClient, fleet: Fleet): Promise<Surroundings> =>
  surroundingsOf({
    fleet,
    version: () => readVersion(client),
    guests: () => listGuests(client),
    interfaces: (node) => listInterfaces(client, node),
    vnets: () => listVnets(client),
  });

/** What a config needs on a PVE of today with bridges of the nodes and none of its VMs. */
export const needsWithout = (fleet: Fleet): Requirement[] =>
  requirementsOf(fleet, {
    version: { version: "9", release: "9" },
    guests: new Map(),
    zoneOf: () => "localnetwork",
  });

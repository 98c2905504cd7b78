import { hostOf } from "../../config/rules/addresses.ts";
import type { GuestConfig, GuestEntry } from "../../proxmox/guests.ts";
import { parseProperties } from "../../proxmox/propertyString.ts";

/** What a network interface hangs on. */
export interface Network {
  bridge: string;
  vlan: string;
}

/** The static addresses of a guest: `ipconfigN` of a VM, `netN` of a container. */
export function addressesOf({ type }: Pick<GuestEntry, "type">, config: GuestConfig): (Network & { host: string })[] {
  return Object.entries(config).flatMap(([key, value]) => {
    const number = (type === "lxc" ? /^net(\d+)$/ : /^ipconfig(\d+)$/).exec(key)?.[1];
    if (number === undefined) return [];
    const address = parseProperties(value);
    const nic = parseProperties(config[`net${number}`]);
    const network = { bridge: nic.get("bridge") ?? "", vlan: nic.get("tag") ?? "" };
    return [address.get("ip"), address.get("ip6")].flatMap((cidr) => {
      try {
        return cidr?.includes("/") ? [{ host: hostOf(cidr), ...network }] : [];
      } catch {
        return [];
      }
    });
  });
}

import { z } from "zod";

/**
 * Proxmox VE's own formats, each once, as its API checks them. Each names the format and the Perl module that it is from.
 * Where we take less than PVE does, it says why.
 */

const text = (pattern: RegExp, expected: string) => z.string().regex(pattern, { error: `expected ${expected}` });

/** A guest's number in the cluster (`pve-vmid` in PVE::JSONSchema). */
export const vmId = z.int().min(100).max(999_999_999).describe("VMID, unique in the cluster");

/** A node (`pve-node` in PVE::JSONSchema): a host name without a domain, which may begin with a digit. */
export const nodeName = text(
  /^[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?$/,
  "the name of a node: letters, digits and '-', not starting or ending with '-'",
);

/** A datastore (`pve-storage-id` in PVE::JSONSchema). */
export const datastoreId = text(
  /^[a-zA-Z][a-zA-Z0-9\-_.]*[a-zA-Z0-9]$/,
  "the ID of a datastore: two characters at least, a letter first, then letters, digits, '-', '_' and '.', a letter or digit last",
);

/** A bridge or VNet (`pve-bridge-id` in PVE::JSONSchema). */
export const bridgeId = text(
  /^[\w.-]+$/,
  "the name of a bridge or VNet: letters, digits, '-', '_' and '.', for example vmbr0",
);

/** A resource pool (`pve-poolid` in PVE::AccessControl): up to three levels, for example `prod/web`. */
export const poolId = text(
  /^[\w.-]+(\/[\w.-]+){0,2}$/,
  "the name of a pool: letters, digits, '-', '_' and '.', with '/' between up to three levels",
);

/** A PCI mapping (`pve-configid` in PVE::JSONSchema). */
export const mappingId = text(
  /^[a-zA-Z][\w-]+$/,
  "the ID of a mapping: two characters at least, a letter first, then letters, digits, '-' and '_'",
);

/**
 * A tag (`pve-tag` in PVE::JSONSchema). PVE takes upper case too, but stores lower case unless `tag-style` of the
 * datacenter says otherwise; the tag would then look changed at every run.
 */
export const tag = text(
  /^[a-z0-9_][a-z0-9_\-+.]*$/,
  "a tag in lower case, as PVE stores it: a letter, digit or '_' first, then letters, digits, '_', '-', '+' and '.'",
);

/** A MAC address of one network card (`mac-addr` in PVE::JSONSchema): the second digit is even. */
export const macAddress = text(
  /^[0-9a-f][02468ace](:[0-9a-f]{2}){5}$/i,
  'a unicast MAC address, for example "BC:24:11:00:00:01"',
);

const PCI_FUNCTION = "([0-9a-f]{4,}:)?[0-9a-f]{2}:[0-9a-f]{2}(\\.[0-9a-f])?";

/** A PCI device of a node, or several of its functions (`host` of `hostpciN` in PVE::QemuServer::PCI). */
export const pciAddress = text(
  new RegExp(`^${PCI_FUNCTION}(;${PCI_FUNCTION})*$`),
  'a PCI address in lower case, for example "0000:01:00.0", or several with ";" between them',
);

/** A type of mediated device (`mdev` of `hostpciN` in PVE::QemuServer::PCI). */
export const mdevType = text(/^[^/.:,\s]+$/, "the type of a mediated device, for example nvidia-63");

/** A list of a node's cores (`pve-cpuset` in PVE::CpuSet). */
export const cpuSet = text(/^\d+(-\d+)?(,\d+(-\d+)?)*$/, 'a list of cores of the node, for example "0,5,8-11"');

/** `user@realm` in PVE::Auth::Plugin. The name may hold `@`, `!` and `=`: the realm is what follows the last `@`. */
const USER = "([^\\s:/]+)@([a-zA-Z][\\w.-]+)";

const USER_ID = new RegExp(`^(?=.{3,64}$)${USER}$`);

const TOKEN_ID = new RegExp(`^(${USER})!([a-zA-Z][\\w.-]+)$`);

/** The parts of a user (`pve-userid` in PVE::Auth::Plugin); undefined if it is none. */
export function parseUserId(id: string): { name: string; realm: string } | undefined {
  const [, name, realm] = USER_ID.exec(id) ?? [];
  return name && realm ? { name, realm } : undefined;
}

/** The parts of an API token's ID (`pve-tokenid` in PVE::AccessControl): `user@realm`, `!`, and a name formed as a realm. */
export function parseTokenId(id: string): { user: string; name: string } | undefined {
  const [, user, , , name] = TOKEN_ID.exec(id) ?? [];
  return user && name ? { user, name } : undefined;
}

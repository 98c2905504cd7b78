import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { CloudInitTool } from "./cloudInit.ts";

/** What PVE makes a clone's cloud-init drive from. */
export interface Drive {
  /** Static IPv4 address. */
  address: string;
  nameserver?: string;
  searchDomain?: string;
  /** The snippets that `cicustom` names, or the user-data that PVE makes itself; then there is no vendor-data. */
  userData: string;
  vendorData: string;
}

/** The user-data as PVE writes it without snippets (PVE/QemuServer/Cloudinit.pm, cloudinit_userdata). */
export const pveUserData = (hostname: string, { user = "ops", keys = ["ssh-rsa A"] } = {}): string => `#cloud-config
hostname: ${hostname}
manage_etc_hosts: true
fqdn: ${hostname}.example.net
user: ${user}
password: $6$salt$hash
ssh_authorized_keys:
${keys.map((key) => `  - ${key}`).join("\n")}
chpasswd:
  expire: False
users:
  - default
`;

/** What cloud-init did at a boot. */
export interface Boot {
  instanceId: string;
  /** The network-configs that it applied. */
  network: { config: { config: Record<string, unknown>[] }; beforeNetworkIsUp: boolean }[];
  /** The host names that it set. */
  hostname: string[];
  /** The modules that it ran, by their names in cloud-init. */
  modules: string[];
}

/** The network-config as PVE writes it (PVE/QemuServer/Cloudinit.pm, nocloud_network). */
const networkConfig = ({ address, nameserver = "10.0.0.1", searchDomain = "example.net" }: Drive) => `version: 1
config:
    - type: physical
      name: eth0
      mac_address: 'bc:24:11:00:00:01'
      subnets:
      - type: static
        address: '${address}'
        netmask: '255.255.255.0'
    - type: nameserver
      address:
      - '${nameserver}'
      search:
      - '${searchDomain}'
`;

/** The files that PVE puts on the drive. The instance-id is a hash of user-data and network-config. */
function files(drive: Drive): Record<string, string> {
  const network = networkConfig(drive);
  const hash = createHash("sha1").update(drive.userData + network);
  return {
    "user-data": drive.userData,
    "vendor-data": drive.vendorData,
    "network-config": network,
    "meta-data": `instance-id: ${hash.digest("hex")}\n`,
  };
}

/** A guest with the real cloud-init, whose disk lasts as long as the object. */
export class CloudInitGuest {
  readonly #tool: CloudInitTool;
  readonly #root = mkdtempSync(join(tmpdir(), "cloud-init-guest-"));

  constructor(tool: CloudInitTool) {
    this.#tool = tool;
  }

  /** PVE starts the VM: it writes the drive anew, and the guest boots. */
  start(drive: Drive, serial?: string): Boot {
    const [disk, seed] = [join(this.#root, "disk"), join(this.#root, "drive")];
    for (const folder of [disk, seed]) mkdirSync(folder, { recursive: true });
    for (const [name, text] of Object.entries(files(drive))) writeFileSync(join(seed, name), text);
    const script = resolve(import.meta.dirname, "nocloudBoot.py");
    const env = { ...process.env, ...this.#tool.env };
    const args = [script, disk, seed, ...(serial === undefined ? [] : [serial])];
    return JSON.parse(execFileSync(this.#tool.python, args, { env, encoding: "utf8", stdio: "pipe" }));
  }

  remove(): void {
    rmSync(this.#root, { recursive: true, force: true });
  }
}

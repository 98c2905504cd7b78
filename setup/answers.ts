import type { Fleet } from "../config/fleet.ts";
import { loadConfig } from "../config/load.ts";
import { ConfigError } from "../config/problem.ts";

/** SSH to the nodes, for cloud-init snippets. */
export interface SshAnswers {
  username: string;
  privateKeyFile?: string;
  hostKeys: readonly string[];
  /** Of the one node that was looked at, if it is another than the API names. */
  address?: string;
  port?: number;
  /** Adds the host keys to `~/.ssh/known_hosts`, where the plugin looks for them. */
  remember?: () => void;
}

/** Everything that goes into the config of a new stack. */
export interface Answers {
  endpoint: string;
  /** `tls.caFile` */
  caFile?: string;
  node: string;
  datastores: { images: string; disks: string; snippets?: string };
  bridge: string;
  ssh?: SshAnswers;
  template: {
    key: string;
    vmId: number;
    image: { url: string; checksumUrl?: string };
    user?: string;
    publicKey: { file: string } | { line: string };
  };
  set: {
    key: string;
    count: number;
    firstVmId: number;
    ipRange?: string;
    gateway?: string;
    mode: "linked" | "full";
  };
}

export type Config = Record<"cluster" | "templates" | "cloneSets", Record<string, unknown>>;

/** Without what is undefined, or the program's own default. */
function withoutDefaults(given: Record<string, unknown>, defaults: Record<string, unknown> = {}) {
  return Object.fromEntries(
    Object.entries(given).filter(([key, value]) => value !== undefined && value !== defaults[key]),
  );
}

const orNothing = (map: Record<string, unknown>) => (Object.keys(map).length > 0 ? map : undefined);

function sshOf(node: string, { username, privateKeyFile, hostKeys, address, port }: SshAnswers) {
  const [one, ...others] = hostKeys;
  const hostKey = others.length > 0 ? hostKeys : one;
  // Every node has a key of its own: what was seen is this node's alone.
  const own = orNothing(withoutDefaults({ address, port, hostKey }, { port: 22 }));
  return withoutDefaults({ username, privateKeyFile, nodes: own && { [node]: own } }, { username: "root" });
}

/** The config, as small as it can be: no default is spelled out. */
export function configOf({ endpoint, caFile, node, datastores, bridge, ssh, template, set }: Answers): Config {
  const { key, vmId, image, user, publicKey } = template;
  const { count, firstVmId, ipRange, gateway, mode } = set;
  return {
    cluster: withoutDefaults({
      endpoint,
      tls: orNothing(withoutDefaults({ caFile })),
      ssh: ssh && sshOf(node, ssh),
      node,
      datastores: orNothing(
        withoutDefaults({ ...datastores }, { images: "local", disks: "local-lvm", snippets: "local" }),
      ),
      network: orNothing(withoutDefaults({ bridge }, { bridge: "vmbr0" })),
    }),
    templates: {
      [key]: {
        vmId,
        image: withoutDefaults({ ...image }),
        cloudInit: withoutDefaults({
          user,
          ...("file" in publicKey ? { sshPublicKeyFile: publicKey.file } : { sshPublicKeys: [publicKey.line] }),
          packages: ssh && ["qemu-guest-agent"],
        }),
      },
    },
    cloneSets:
      count === 0
        ? {}
        : {
            [set.key]: withoutDefaults(
              {
                template: key,
                mode,
                count,
                namePattern: `${set.key}-{n}`,
                firstVmId,
                ipRange,
                gateway,
                waitFor: ssh && "agent",
              },
              { mode: "linked" },
            ),
          },
  };
}

/**
 * The config as the program reads it. What names files that are not written yet, and the login, are not part of it.
 *
 * @throws ConfigError with everything that is wrong
 */
export function fleetOf(config: Config): Fleet {
  const { tls: _, ...cluster } = config.cluster;
  const sections: Record<string, unknown> = { ...config, cluster };
  const {
    cluster: read,
    templates,
    existing,
    cloneSets,
    leftOut,
    problems,
  } = loadConfig(
    (key) => (sections[key] === undefined ? undefined : JSON.stringify(sections[key])),
    Object.keys(sections),
    { PROXMOX_VE_API_TOKEN: "setup@pve!stands-in=for-the-login" },
  );
  if (!read || problems.length > 0) throw new ConfigError(problems, "Nothing was written.");
  return { cluster: read, templates, existing, cloneSets, leftOut };
}

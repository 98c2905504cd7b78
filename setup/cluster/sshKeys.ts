import { readdirSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import ssh2 from "ssh2";
import { hostKeyOf } from "../../proxmox/hostKeys.ts";

/** A public key of the user. */
export interface PublicKey {
  /** As it stands in authorized_keys: `ssh-ed25519 AAAA… mia@laptop`. */
  line: string;
  type: string;
  comment: string;
  /** `SHA256:…`, as ssh-keygen shows it. */
  fingerprint: string;
  /** `~/.ssh/id_ed25519.pub`; undefined if only the agent has it. */
  file?: string;
  /** Whether the SSH agent has its private key. */
  inAgent: boolean;
  /** The private key beside the file: what can be made of it. */
  privateKey?: PrivateKey;
}

export interface PrivateKey {
  /** `~/.ssh/id_ed25519` */
  file: string;
  /** `ready`: goes into `ssh.privateKeyFile`; `encrypted`: only by the agent; `unreadable`: not at all. */
  state: "ready" | "encrypted" | "unreadable";
}

/** Milliseconds; an agent that does not answer is none. */
const AGENT_TIMEOUT = 2000;

type Identity = Pick<PublicKey, "line" | "type" | "comment" | "fingerprint">;

/** A key from its line, or undefined if it is none: the key's own bytes begin with its type. */
function identity(line: string): Identity | undefined {
  const [type = "", base64 = "", ...words] = line.trim().split(/\s+/);
  const blob = Buffer.from(base64, "base64");
  if (!type || blob.length <= 4 + type.length) return undefined;
  const key = hostKeyOf(blob);
  // A certificate is no key to put into authorized_keys.
  if (key.type !== type || type.includes("-cert-v01@")) return undefined;
  const comment = words.join(" ");
  return { line: [key.line, comment].filter(Boolean).join(" "), type, comment, fingerprint: key.fingerprint };
}

function inAgent(socket: string | undefined): Promise<Identity[]> {
  if (!socket) return Promise.resolve([]);
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve([]), AGENT_TIMEOUT);
    try {
      ssh2.createAgent(socket).getIdentities((error, keys) => {
        clearTimeout(timer);
        resolve(error || !keys ? [] : keys.flatMap((key) => fromAgent(key)));
      });
    } catch {
      clearTimeout(timer);
      resolve([]);
    }
  });
}

/** The agent's answer is parsed already, which the types of `ssh2` leave open. */
function fromAgent(key: unknown): Identity[] {
  const { type, comment, getPublicSSH } = key as ssh2.ParsedKey;
  if (typeof getPublicSSH !== "function") return [];
  const found = identity(`${type} ${(key as ssh2.ParsedKey).getPublicSSH().toString("base64")} ${comment}`);
  return found ? [found] : [];
}

/** Ed25519 first, then the others in the order in which ssh takes them. */
const TYPES = ["ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-rsa"];
const rank = ({ type, file }: PublicKey): number => {
  const place = TYPES.indexOf(type);
  return (place < 0 ? TYPES.length : place) + (file ? 0 : 100);
};

function readText(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}

function privateKey(file: string, shown: string): PrivateKey | undefined {
  const text = readText(file);
  if (text === undefined) return undefined;
  const parsed = ssh2.utils.parseKey(text);
  if (parsed instanceof Error) {
    const encrypted = /passphrase|encrypted/i.test(parsed.message);
    return { file: shown, state: encrypted ? "encrypted" : "unreadable" };
  }
  return { file: shown, state: [parsed].flat()[0]?.isPrivateKey() ? "ready" : "unreadable" };
}

/** The user's public keys, the best first: from `~/.ssh/*.pub`, and what the SSH agent has besides. */
export async function findPublicKeys(env: NodeJS.ProcessEnv = process.env): Promise<PublicKey[]> {
  const folder = join(env.HOME || homedir(), ".ssh");
  const loaded = await inAgent(env.SSH_AUTH_SOCK);
  const fromFiles = publicKeyFiles(folder).flatMap((name): PublicKey[] => {
    const key = identity(readText(join(folder, name)) ?? "");
    if (!key) return [];
    const own = name.slice(0, -".pub".length);
    const secret = privateKey(join(folder, own), `~/.ssh/${own}`);
    return [
      {
        ...key,
        file: `~/.ssh/${name}`,
        inAgent: loaded.some(({ fingerprint }) => fingerprint === key.fingerprint),
        ...(secret && { privateKey: secret }),
      },
    ];
  });
  const known = new Set(fromFiles.map(({ fingerprint }) => fingerprint));
  const others = loaded.filter(({ fingerprint }) => !known.has(fingerprint)).map((key) => ({ ...key, inAgent: true }));
  return [...fromFiles, ...others].sort((a, b) => rank(a) - rank(b));
}

function publicKeyFiles(folder: string): string[] {
  try {
    return readdirSync(folder)
      .filter((name) => name.endsWith(".pub"))
      .sort();
  } catch {
    return [];
  }
}

/** Private keys that can be used for SSH to a node without asking for a passphrase, the best first. */
export function usablePrivateKeys(keys: readonly PublicKey[]): string[] {
  return keys.flatMap(({ privateKey: secret }) => (secret?.state === "ready" ? [secret.file] : []));
}

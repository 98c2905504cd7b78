import { createHmac } from "node:crypto";
import { appendFileSync, mkdirSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { type HostKey, hostKeyOf } from "./hostKeys.ts";

/** What `~/.ssh/known_hosts` says of a host's key. */
export type HostKeyVerdict = "known" | "unknown" | "changed";

interface Entry {
  revoked: boolean;
  hosts: string;
  type: string;
  key: string;
}

function entriesOf(text: string): Entry[] {
  return text.split(/\r?\n/).flatMap((line) => {
    const words = line.trim().split(/\s+/);
    if (words[0] === undefined || words[0] === "" || words[0].startsWith("#")) return [];
    // A host certificate's CA says nothing about a plain host key.
    if (words[0] === "@cert-authority") return [];
    const revoked = words[0] === "@revoked";
    const [hosts, type, key] = revoked ? words.slice(1) : words;
    return hosts && type && key ? [{ revoked, hosts, type, key }] : [];
  });
}

const pattern = (glob: string) =>
  new RegExp(
    `^${glob
      .replace(/[.+^${}()|[\]\\]/g, "\\$&")
      .replaceAll("*", ".*")
      .replaceAll("?", ".")}$`,
    "i",
  );

/** Whether an entry's host field (`a,b`, `[host]:port`, `*.net`, `!not`, `|1|salt|hash`) means `name`. */
function names(hosts: string, name: string): boolean {
  if (hosts.startsWith("|1|")) {
    const [, , salt = "", hash = ""] = hosts.split("|");
    return createHmac("sha1", Buffer.from(salt, "base64")).update(name).digest("base64") === hash;
  }
  const parts = hosts.split(",");
  if (parts.some((part) => part.startsWith("!") && pattern(part.slice(1)).test(name))) return false;
  return parts.some((part) => !part.startsWith("!") && pattern(part).test(name));
}

/** What known_hosts calls an SSH server. */
export const knownHostsName = (address: string, port: number): string =>
  port === 22 ? address : `[${address}]:${port}`;

const entriesFor = (text: string, address: string, port: number): Entry[] =>
  entriesOf(text).filter(({ hosts }) => names(hosts, knownHostsName(address, port)));

/** The keys that known_hosts has for a host, but for revoked ones. */
export const knownHostKeys = (text: string, address: string, port: number): HostKey[] =>
  entriesFor(text, address, port).flatMap(({ revoked, type, key }) => {
    const blob = Buffer.from(key, "base64");
    return revoked || blob.length <= 4 + type.length ? [] : hostKeyOf(blob);
  });

/** Compares a host's key with known_hosts, as the proxmoxve plugin does: an unknown host is let in. */
export function hostKeyVerdict(text: string, address: string, port: number, { line }: HostKey): HostKeyVerdict {
  const entries = entriesFor(text, address, port);
  if (entries.some(({ revoked, type, key }) => revoked && `${type} ${key}` === line)) return "changed";
  const known = knownHostKeys(text, address, port);
  if (known.length === 0) return "unknown";
  return known.some((key) => key.line === line) ? "known" : "changed";
}

/** The list of known hosts that the proxmoxve plugin goes by. */
const file = (): string => join(homedir(), ".ssh", "known_hosts");

/** The text of `~/.ssh/known_hosts`; empty if there is none. */
export function readKnownHosts(): string {
  try {
    return readFileSync(file(), "utf8");
  } catch {
    return "";
  }
}

/** Adds a host's key to `~/.ssh/known_hosts`. What is in there stays. */
export function rememberHostKey(address: string, port: number, { line }: HostKey): void {
  mkdirSync(dirname(file()), { recursive: true, mode: 0o700 });
  const text = readKnownHosts();
  const start = text === "" || text.endsWith("\n") ? "" : "\n";
  appendFileSync(file(), `${start}${knownHostsName(address, port)} ${line}\n`, { mode: 0o600 });
}

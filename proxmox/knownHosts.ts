import { createHmac } from "node:crypto";

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

const entriesFor = (text: string, address: string, port: number): Entry[] => {
  const name = port === 22 ? address : `[${address}]:${port}`;
  return entriesOf(text).filter(({ hosts }) => names(hosts, name));
};

/** The key types that known_hosts has for a host, so that the server is asked for one of them. */
export function knownKeyTypes(text: string, address: string, port: number): string[] {
  return [...new Set(entriesFor(text, address, port).flatMap(({ revoked, type }) => (revoked ? [] : [type])))];
}

/** Compares a host's key (its public blob) with known_hosts, as the proxmoxve plugin does: an unknown host is let in. */
export function hostKeyVerdict(text: string, address: string, port: number, key: Buffer): HostKeyVerdict {
  const blob = key.toString("base64");
  const entries = entriesFor(text, address, port);
  if (entries.some((entry) => entry.revoked && entry.key === blob)) return "changed";
  const known = entries.filter(({ revoked }) => !revoked);
  if (known.length === 0) return "unknown";
  return known.some((entry) => entry.key === blob) ? "known" : "changed";
}

import { z } from "zod";

const FINGERPRINT = /^SHA256:[A-Za-z0-9+/]{43}=?$/;

/** `ssh-ed25519 AAAA…`, with or without a comment. The key's own bytes begin with its type. */
function isKeyLine(text: string): boolean {
  const [type = "", blob = ""] = text.trim().split(/\s+/);
  const bytes = Buffer.from(blob, "base64");
  if (!type || bytes.length < 4) return false;
  const length = bytes.readUInt32BE();
  return bytes.length > 4 + length && bytes.subarray(4, 4 + length).toString("latin1") === type;
}

const expected =
  'expected the fingerprint of a host key, "SHA256:…", or its public line, "ssh-ed25519 AAAA…" (on the node: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub)';

const hostKey = z.string().refine((text) => FINGERPRINT.test(text) || isKeyLine(text), { error: expected });

/** Host keys of an SSH server, in OpenSSH's words: one, or several of which each will do. */
export const hostKeys = z
  .union([hostKey, z.array(hostKey).min(1)], { error: `${expected}, or a list of them` })
  .transform((keys) => [keys].flat());

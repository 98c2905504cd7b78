import { createHash } from "node:crypto";
import ssh2 from "ssh2";
import { type Ssh2Error, sshError } from "./sshError.ts";

/** A host key of an SSH server. */
export interface HostKey {
  /** `ssh-ed25519`, `ecdsa-sha2-nistp256`, `ssh-rsa`, … */
  type: string;
  /** `SHA256:…`, as ssh shows it. */
  fingerprint: string;
  /** `ssh-ed25519 AAAA…`, as it stands in known_hosts after the host's name. */
  line: string;
}

/** A key by its public blob, which begins with its type. */
export function hostKeyOf(blob: Buffer): HostKey {
  const type = blob.subarray(4, 4 + blob.readUInt32BE()).toString("latin1");
  const hash = createHash("sha256").update(blob).digest("base64").replace(/=+$/, "");
  return { type, fingerprint: `SHA256:${hash}`, line: `${type} ${blob.toString("base64")}` };
}

/** Whether a key is one of those in the config: `SHA256:…`, or `ssh-ed25519 AAAA…` with or without a comment. */
export const isPinned = (pins: readonly string[], { fingerprint, line }: HostKey): boolean =>
  pins.some((pin) => {
    const [first = "", blob] = pin.trim().split(/\s+/);
    return blob === undefined ? first.replace(/=+$/, "") === fingerprint : `${first} ${blob}` === line;
  });

/** `SHA256:… (ssh-ed25519)` */
export const keyText = ({ fingerprint, type }: HostKey): string => `${fingerprint} (${type})`;

/** What a server is asked for so that it shows a key of a type: RSA keys sign in more ways than one. */
export const algorithmsOf = (types: readonly string[]): ssh2.ServerHostKeyAlgorithm[] =>
  types.flatMap((type) =>
    type === "ssh-rsa" ? ["rsa-sha2-512", "rsa-sha2-256"] : [type],
  ) as ssh2.ServerHostKeyAlgorithm[];

/** A server has one key of each of these kinds at most. */
const KINDS = [["ssh-ed25519"], ["ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521"], ["ssh-rsa"]];

/** The server's key of one of these types; undefined if it has none. */
function keyOf(address: string, port: number, types: readonly string[]): Promise<HostKey | undefined> {
  const client = new ssh2.Client();
  return new Promise((resolve, reject) => {
    let key: HostKey | undefined;
    client.on("error", (error: Ssh2Error) => {
      if (key || error.level === "handshake") resolve(key);
      else reject(sshError(error, { address, port }));
      client.destroy();
    });
    client.connect({
      host: address,
      port,
      username: "root",
      readyTimeout: 10_000,
      algorithms: { serverHostKey: algorithmsOf(types) },
      hostVerifier: (blob: Buffer) => {
        key = hostKeyOf(blob);
        // That was all: nobody logs in.
        return false;
      },
    });
  });
}

/**
 * The host keys of an SSH server, Ed25519 first, as ssh-keyscan gets them: nobody has verified them.
 *
 * @throws SshError if no SSH server answers
 */
export async function scanHostKeys(address: string, port: number): Promise<HostKey[]> {
  const keys = await Promise.all(KINDS.map((types) => keyOf(address, port, types)));
  return keys.filter((key) => key !== undefined);
}

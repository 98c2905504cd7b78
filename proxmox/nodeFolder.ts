import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import ssh2 from "ssh2";
import { NETWORK_CODES, ProxmoxError } from "./errors.ts";
import { hostKeyVerdict, knownKeyTypes } from "./knownHosts.ts";

export type SshCode =
  | "setup"
  | "key"
  | "agent"
  | "dns"
  | "refused"
  | "unreachable"
  | "timeout"
  | "host-key"
  | "auth"
  | "sftp";

/** Why a node's folder could not be looked at by SSH. */
export class SshError extends ProxmoxError {
  override name = "SshError";
  declare readonly code: SshCode;
}

/** How to reach a folder of a node by SFTP. One of key, agent and password. */
export interface SshTarget {
  address: string;
  port: number;
  username: string;
  /** Text of an unencrypted private key. */
  privateKey?: string;
  /** Socket of the SSH agent. */
  agent?: string;
  password?: string;
  /** Absolute path on the node. */
  folder: string;
}

export interface NodeFolder {
  /** `root@10.0.0.11:22` */
  login: string;
  folder: string;
  exists: boolean;
  /** Why no file can be made in it; undefined if one can. */
  notWritable?: string;
}

const NO_SUCH_FILE = 2;
const PERMISSION_DENIED = 3;

/** The plugin's list of known hosts. It is read, never written. */
function knownHosts(): string {
  try {
    return readFileSync(join(homedir(), ".ssh", "known_hosts"), "utf8");
  } catch {
    return "";
  }
}

const CODES: Record<string, SshCode> = NETWORK_CODES;

type Ssh2Error = Error & { code?: unknown; level?: string };

function sshError(error: Ssh2Error, { address, port, agent }: SshTarget): SshError {
  const at = `${address}:${port}`;
  const code = CODES[String(error.code)];
  const options = { cause: error };
  if (error.level === "agent") return new SshError("agent", `the SSH agent at ${agent}: ${error.message}`, options);
  if (code === "dns") return new SshError("dns", `the host name ${address} cannot be resolved`, options);
  if (code === "refused") return new SshError("refused", `nothing listens on ${at}`, options);
  if (code === "unreachable") return new SshError("unreachable", `there is no route to ${at}`, options);
  if (code === "timeout" || error.level === "client-timeout")
    return new SshError("timeout", `${at} did not answer in time`, options);
  if (error.level === "client-authentication") return new SshError("auth", `${at} refused the login`, options);
  return new SshError("sftp", `${at}: ${error.message}`, options);
}

function connect(target: SshTarget): Promise<ssh2.Client> {
  const { address, port, username, privateKey, agent, password } = target;
  const known = knownHosts();
  const types = knownKeyTypes(known, address, port).flatMap((type) =>
    type === "ssh-rsa" ? ["rsa-sha2-512", "rsa-sha2-256"] : [type],
  ) as ssh2.ServerHostKeyAlgorithm[];
  const client = new ssh2.Client();
  return new Promise((resolve, reject) => {
    let changed = false;
    // Each question is a packet of its own: none waits to be sent together with the next, 40 ms of it.
    client.once("connect", () => client.setNoDelay(true));
    client.once("ready", () => resolve(client));
    let agentError: Ssh2Error | undefined;
    // For good: a connection may have several errors, and one that nobody listens to would end the process.
    client.on("error", (error: Ssh2Error) => {
      if (error.level === "agent") {
        // ssh2 goes on with the next key, and fails by itself when there is none.
        agentError ??= error;
        return;
      }
      reject(
        changed
          ? new SshError(
              "host-key",
              `the host key of ${address}:${port} is not the one in ~/.ssh/known_hosts: the node was reinstalled, or somebody else answers in its place`,
            )
          : sshError((error.level === "client-authentication" && agentError) || error, target),
      );
      client.destroy();
    });
    try {
      client.connect({
        host: address,
        port,
        username,
        ...(privateKey !== undefined && { privateKey }),
        ...(agent !== undefined && { agent }),
        ...(password !== undefined && { password }),
        readyTimeout: 10_000,
        ...(types.length > 0 && { algorithms: { serverHostKey: types } }),
        hostVerifier: (key: Buffer) => {
          changed = hostKeyVerdict(known, address, port, key) === "changed";
          return !changed;
        },
      });
    } catch {
      // Nothing of ssh2's own text: it may quote the key.
      reject(new SshError("key", "the private key cannot be used: it is encrypted, or not a private key"));
    }
  });
}

/** Turns one of ssh2's SFTP methods into a promise. */
const call = <T>(start: (done: (error: Error | null | undefined, value: T) => void) => void) =>
  new Promise<T>((resolve, reject) => {
    start((error, value) => (error ? reject(error) : resolve(value)));
  });

const statusOf = (error: unknown): number => Number((error as { code?: unknown }).code);

/** Makes an empty file and removes it. Modes and owners prove nothing: there are ACLs, read-only mounts, root squash. */
async function tryToWrite(sftp: ssh2.SFTPWrapper, folder: string): Promise<string | undefined> {
  const file = `${folder}/.golden-fleet-write-test-${randomBytes(6).toString("hex")}`;
  try {
    const handle = await call<Buffer>((done) => sftp.open(file, "wx", done));
    await call<void>((done) => sftp.close(handle, (error) => done(error, undefined)));
    await call<void>((done) => sftp.unlink(file, (error) => done(error, undefined)));
    return undefined;
  } catch (error) {
    return statusOf(error) === PERMISSION_DENIED ? "permission denied" : (error as Error).message;
  }
}

/**
 * Looks at a folder of a node by SFTP: whether it exists and whether a file can be made in it.
 *
 * @throws SshError if the node cannot be reached or does not let us in
 */
export async function probeFolder(target: SshTarget): Promise<NodeFolder> {
  const { folder, username, address, port } = target;
  const login = `${username}@${address}:${port}`;
  const client = await connect(target);
  try {
    const sftp = await call<ssh2.SFTPWrapper>((done) => client.sftp(done)).catch((error: Error) => {
      throw new SshError("sftp", `${login} lets us in, but has no SFTP: ${error.message}`, { cause: error });
    });
    // Whoever asked gets an error of its own.
    sftp.on("error", () => undefined);
    try {
      await call<ssh2.Stats>((done) => sftp.stat(folder, done));
    } catch (error) {
      if (statusOf(error) === NO_SUCH_FILE) return { login, folder, exists: false };
      return { login, folder, exists: true, notWritable: (error as Error).message };
    }
    const notWritable = await tryToWrite(sftp, folder);
    return { login, folder, exists: true, ...(notWritable !== undefined && { notWritable }) };
  } finally {
    client.end();
  }
}

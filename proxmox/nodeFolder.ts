import { randomBytes } from "node:crypto";
import ssh2 from "ssh2";
import { algorithmsOf, type HostKey, hostKeyOf } from "./hostKeys.ts";
import { type SshHost, trustOf } from "./hostTrust.ts";
import { type Ssh2Error, SshError, sshError } from "./sshError.ts";

/** How to reach a folder of a node by SFTP. One of key, agent and password. */
export interface SshTarget extends SshHost {
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
  /** The host key, if it was taken on trust: neither the config nor `~/.ssh/known_hosts` has one. */
  onTrust?: HostKey;
  /** The host key, if the config pins it and it was added to `~/.ssh/known_hosts` just now. */
  remembered?: HostKey;
}

type KeyTrust = Pick<NodeFolder, "onTrust" | "remembered">;

const NO_SUCH_FILE = 2;
const PERMISSION_DENIED = 3;

async function connect(target: SshTarget): Promise<{ client: ssh2.Client; trust: KeyTrust }> {
  const { address, port, username, privateKey, agent, password } = target;
  const expected = await trustOf(target);
  const { types, remembered } = expected;
  const client = new ssh2.Client();
  return new Promise((resolve, reject) => {
    let shown: HostKey | undefined;
    let accepted = false;
    // Each question is a packet of its own: none waits to be sent together with the next, 40 ms of it.
    client.once("connect", () => client.setNoDelay(true));
    client.once("ready", () => {
      const onTrust = expected.expected.length === 0 ? shown : undefined;
      resolve({ client, trust: { ...(onTrust && { onTrust }), ...(remembered && { remembered }) } });
    });
    let agentError: Ssh2Error | undefined;
    // For good: a connection may have several errors, and one that nobody listens to would end the process.
    client.on("error", (error: Ssh2Error) => {
      if (error.level === "agent") {
        // ssh2 goes on with the next key, and fails by itself when there is none.
        agentError ??= error;
        return;
      }
      const otherTypes = types.length > 0 && /no matching host key/.test(error.message);
      reject(
        (shown && !accepted) || otherTypes
          ? expected.refusal(shown ? [shown] : [])
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
        ...(types.length > 0 && { algorithms: { serverHostKey: algorithmsOf(types) } }),
        hostVerifier: (blob: Buffer) => {
          shown = hostKeyOf(blob);
          accepted = expected.accepts(shown);
          return accepted;
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
  const { client, trust } = await connect(target);
  try {
    const sftp = await call<ssh2.SFTPWrapper>((done) => client.sftp(done)).catch((error: Error) => {
      throw new SshError("sftp", `${login} lets us in, but has no SFTP: ${error.message}`, { cause: error });
    });
    // Whoever asked gets an error of its own.
    sftp.on("error", () => undefined);
    try {
      await call<ssh2.Stats>((done) => sftp.stat(folder, done));
    } catch (error) {
      if (statusOf(error) === NO_SUCH_FILE) return { login, folder, exists: false, ...trust };
      return { login, folder, exists: true, notWritable: (error as Error).message, ...trust };
    }
    const notWritable = await tryToWrite(sftp, folder);
    return { login, folder, exists: true, ...(notWritable !== undefined && { notWritable }), ...trust };
  } finally {
    client.end();
  }
}

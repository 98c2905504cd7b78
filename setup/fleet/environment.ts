import { delimiter, dirname, join, resolve, sep } from "node:path";
import { localPath } from "../../config/files.ts";
import { readStackFile } from "../../config/stackFile.ts";
import type { Toolchain } from "../../toolchain/install.ts";
import { localEnvironment } from "../local.ts";
import { caBundle } from "./cas.ts";
import { pinnedCertificate } from "./pinnedCertificate.ts";
import { type ChosenStack, shortName } from "./stack.ts";

/**
 * What a command of Pulumi needs around it, one function for each thing. They give what is to be added to the user's
 * environment, which wins where both have something to say.
 */

type Env = NodeJS.ProcessEnv;
type Added = Record<string, string>;

/**
 * The CLI and Node, first on PATH; and the home of a CLI that belongs to this checkout. With a CLI of the user's own its home
 * stays, too: login and selected stack are there.
 */
export function cliEnvironment(root: string, { pulumi, env: own }: Toolchain, env: Env = process.env): Added {
  const isOurs = resolve(pulumi).startsWith(join(root, ".toolchain") + sep);
  const home = own.PULUMI_HOME;
  const front = [dirname(pulumi), join(root, "node_modules", ".bin")];
  return {
    PATH: [...front, env.PATH].filter(Boolean).join(delimiter),
    ...(isOurs && home && { PULUMI_HOME: home }),
  };
}

/** Backend and passphrase that setup made. */
export const backendEnvironment = (root: string, env: Env = process.env): Added => localEnvironment(root, env);

/** A stack that Pulumi would not choose by itself. */
export const stackEnvironment = (stack: ChosenStack | undefined): Added =>
  stack?.by === "only" ? { PULUMI_STACK: stack.name } : {};

/** What a stack's file says of the API's certificate. */
function servedBy(root: string, project: string, stack: string): Partial<Record<string, string>> {
  const { cluster } = readStackFile(root, project, shortName(stack));
  const { endpoint, tls } = (cluster ?? {}) as { endpoint?: unknown; tls?: Record<string, unknown> };
  const texts = Object.entries({ ...tls, endpoint }).filter(([, value]) => typeof value === "string");
  return Object.fromEntries(texts) as Partial<Record<string, string>>;
}

/** Go asks the system alone there, and no file. */
const IGNORES_FILE = ["darwin", "win32"];

/** A path of the config; the command may run elsewhere. */
const fileAt = (root: string, file: string) => (/^~(\/|$)/.test(file) ? localPath(file) : resolve(root, file));

interface TrustOptions {
  env?: Env;
  /** The command talks to the cluster, so that a pinned certificate is worth fetching. */
  isRun: boolean;
}

/**
 * SSL_CERT_FILE: what the proxmoxve plugin trusts, which knows neither `tls.caFile` nor `tls.fingerprint`.
 *
 * @param project name in Pulumi.yaml
 * @throws ConnectionError if the certificate with the fingerprint is not what is served, or nobody answers
 */
export async function trustEnvironment(
  root: string,
  project: string,
  stack: string | undefined,
  { env = process.env, isRun }: TrustOptions,
): Promise<Added> {
  if (stack === undefined || IGNORES_FILE.includes(process.platform)) return {};
  const { caFile, fingerprint, endpoint } = servedBy(root, project, stack);
  const pinned =
    isRun && !caFile && fingerprint && endpoint ? await pinnedCertificate(root, endpoint, fingerprint) : undefined;
  const trusted = caFile ? fileAt(root, caFile) : pinned;
  if (!trusted) return {};
  const bundle = join(root, ".fleet", "certificates", `${shortName(stack)}-trusted.pem`);
  const file = caBundle({ file: trusted, bundle, own: env.SSL_CERT_FILE });
  return file === undefined ? {} : { SSL_CERT_FILE: file };
}

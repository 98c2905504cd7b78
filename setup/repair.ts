import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { type Document, parseDocument } from "yaml";
import type { Cluster } from "../config/cluster.ts";
import { localPath } from "../config/files.ts";
import type { Fleet } from "../config/fleet.ts";
import { ensureToolchain } from "../toolchain/install.ts";
import { type Config, fleetOf } from "./answers.ts";
import { acceptCertificate, tokenLogin } from "./askCluster.ts";
import { chooseBackend, encrypt, PulumiError, pulumiFor, rememberBackend } from "./backend.ts";
import { checkLogin } from "./cluster/access.ts";
import { type EndpointCertificate, lookAtEndpoint, settleTrust, type Trust } from "./cluster/certificate.ts";
import { addContentLine, listNodeDatastores } from "./cluster/datastores.ts";
import { normaliseEndpoint } from "./cluster/endpoint.ts";
import { SetupError } from "./cluster/error.ts";
import { listBridges } from "./cluster/networks.ts";
import { listClusterNodes } from "./cluster/nodes.ts";
import { logIn, type Session } from "./cluster/session.ts";
import { IMAGES } from "./images.ts";
import { type OptionName, type Options, UsageError } from "./options.ts";
import { Cancelled } from "./ui.ts";
import { caName, finish, type Setup } from "./wizard.ts";
import { type NewFile, writeFiles } from "./writeFiles.ts";

const PROJECT = "proxmox-golden-fleet";

/** A change of the stack file. */
interface Edit {
  /** Below `config`, without the project's name: `["cluster", "node"]`. */
  path: readonly string[];
  /** Undefined: the key goes. */
  value: unknown;
}

/** What says something of a stack that exists. */
const KNOWN = [
  "stack",
  "yes",
  "print",
  "endpoint",
  "accept-fingerprint",
  "node",
  "token-stdin",
  "image-datastore",
  "disk-datastore",
  "snippet-datastore",
  "bridge",
  "image",
  "image-url",
  "checksum-url",
  "user",
  "ssh-public-key",
  "set",
  "clones",
  "ip-range",
  "gateway",
  "linked",
  "full",
  "ssh-user",
  "ssh-key",
  "backend",
  "no-preflight",
] as const satisfies readonly OptionName[];

/** @throws UsageError for options that would change nothing */
function checkKnown(options: Options, stack: string): void {
  const others = options.names.filter((name) => !(KNOWN as readonly string[]).includes(name));
  if (others.length > 0)
    throw new UsageError(
      `${others.map((name) => `--${name}`).join(", ")}: for a new stack only; edit Pulumi.${stack}.yaml, which exists already`,
    );
}

const keyOf = ([section = "", ...rest]: readonly string[]) => ["config", `${PROJECT}:${section}`, ...rest];

function read(file: string): Document {
  const doc = parseDocument(readFileSync(file, "utf8"));
  const [error] = doc.errors;
  if (error) throw new SetupError("exists", `${file} is not YAML: ${error.message}`);
  return doc;
}

/** The one key of a section, or the one that an option names. */
function only(section: "templates" | "cloneSets", config: Config, named: string | undefined): string {
  const keys = Object.keys(config[section]);
  const [one] = named === undefined ? keys : keys.filter((key) => key === named);
  if (one !== undefined && (named !== undefined || keys.length === 1)) return one;
  const found = keys.length > 0 ? `found ${keys.join(", ")}` : "there is none";
  throw new UsageError(
    section === "cloneSets"
      ? `--set names the clone set that is meant; ${found}`
      : `the template that is meant is not clear: ${found}. Edit the stack file`,
  );
}

/** What options say, as changes; whatever none names stays. */
function editsFrom(options: Options, config: Config): Edit[] {
  const edits: Edit[] = [];
  const take = (name: OptionName, path: readonly string[], value: (text: string) => unknown = (text) => text) => {
    const text = options.text(name);
    if (text !== undefined) edits.push({ path, value: value(text) });
  };
  take("endpoint", ["cluster", "endpoint"], normaliseEndpoint);
  take("node", ["cluster", "node"]);
  take("image-datastore", ["cluster", "datastores", "images"]);
  take("disk-datastore", ["cluster", "datastores", "disks"]);
  take("snippet-datastore", ["cluster", "datastores", "snippets"]);
  take("bridge", ["cluster", "network", "bridge"]);
  take("ssh-user", ["cluster", "ssh", "username"]);
  take("ssh-key", ["cluster", "ssh", "privateKeyFile"]);
  if ((["image", "image-url", "checksum-url", "user", "ssh-public-key"] as const).some((name) => options.has(name))) {
    const template = ["templates", only("templates", config, undefined)];
    const name = options.text("image");
    const offered = IMAGES.find((image) => image.name === name);
    if (name !== undefined && !offered) throw new UsageError(`--image: found "${name}"; see --help`);
    if (offered) {
      const { url, checksumUrl } = offered;
      edits.push({ path: [...template, "image"], value: { url, checksumUrl } });
    }
    take("image-url", [...template, "image", "url"]);
    take("checksum-url", [...template, "image", "checksumUrl"]);
    take("user", [...template, "cloudInit", "user"]);
    take("ssh-public-key", [...template, "cloudInit", "sshPublicKeyFile"]);
  }
  if ((["clones", "ip-range", "gateway", "linked", "full"] as const).some((name) => options.has(name))) {
    const set = ["cloneSets", only("cloneSets", config, options.text("set"))];
    if ("clones" in ((config.cloneSets[set[1] ?? ""] ?? {}) as object) && options.has("clones"))
      throw new UsageError(`--clones: ${set.join(".")} lists its clones one by one; edit the stack file`);
    take("clones", [...set, "count"], (text) => {
      if (!/^\d+$/.test(text)) throw new UsageError(`--clones: found "${text}"; expected a number`);
      return Number(text);
    });
    take("ip-range", [...set, "ipRange"], (text) => (text === "dhcp" ? undefined : text));
    if (options.text("ip-range") === "dhcp") edits.push({ path: [...set, "gateway"], value: undefined });
    take("gateway", [...set, "gateway"]);
    if (options.has("full")) edits.push({ path: [...set, "mode"], value: "full" });
    if (options.has("linked")) edits.push({ path: [...set, "mode"], value: undefined });
  }
  return edits;
}

const shown = (value: unknown) =>
  value === undefined ? "(nothing)" : typeof value === "string" ? value : JSON.stringify(value);

/** Makes the changes, and gives those that change something as lines. */
function applyEdits(doc: Document, edits: readonly Edit[]): string[] {
  return edits.flatMap(({ path, value }) => {
    const at = keyOf(path);
    const node = doc.getIn(at) as { toJSON?: () => unknown } | undefined;
    const before = typeof node?.toJSON === "function" ? node.toJSON() : node;
    if (JSON.stringify(before) === JSON.stringify(value)) return [];
    if (value === undefined) doc.deleteIn(at);
    else doc.setIn(at, typeof value === "object" ? doc.createNode(value) : value);
    return [`${path.join(".")}: ${shown(before)} -> ${shown(value)}`];
  });
}

/** What of the cluster no longer fits the config, and a change where one is clear. */
interface Difference {
  text: string;
  edit?: Edit;
}

async function differences({ client }: Session, { cluster }: Fleet): Promise<Difference[]> {
  const nodes = await listClusterNodes(client);
  const node = nodes.find((one) => one.node === cluster.node);
  const online = nodes.filter((one) => one.online);
  if (!node?.online) {
    const other = online[0]?.node;
    return [
      {
        text: `cluster.node: ${cluster.node} ${node ? "is not online" : "is no node of this cluster"}; online: ${online.map((one) => one.node).join(", ")}`,
        ...(other && !node && { edit: { path: ["cluster", "node"], value: other } }),
      },
    ];
  }
  const [datastores, bridges] = await Promise.all([
    listNodeDatastores(client, cluster.node),
    listBridges(client, cluster.node),
  ]);
  return [...ofDatastores(cluster, datastores), ...ofBridges(cluster, bridges)];
}

function ofDatastores(
  { datastores, ssh }: Cluster,
  here: Awaited<ReturnType<typeof listNodeDatastores>>,
): Difference[] {
  const wanted = [
    ["images", "import"],
    ["disks", "images"],
    ...(ssh ? ([["snippets", "snippets"]] as const) : []),
  ] as const;
  return wanted.flatMap(([key, type]): Difference[] => {
    const name = datastores[key];
    const found = here.find(({ storage }) => storage === name);
    if (found?.active && found.content.includes(type)) return [];
    const other = here.find(({ active, content }) => active && content.includes(type))?.storage;
    const why = !found
      ? "the node has no such datastore, or the login may not see it"
      : !found.active
        ? "it is not active"
        : `it does not take ${type}; on a node: ${addContentLine(found, type)}`;
    return [
      {
        text: `cluster.datastores.${key}: ${name}: ${why}`,
        ...(other && !found && { edit: { path: ["cluster", "datastores", key], value: other } }),
      },
    ];
  });
}

function ofBridges({ network }: Cluster, bridges: readonly { name: string }[]): Difference[] {
  if (bridges.some(({ name }) => name === network.bridge)) return [];
  const other = bridges[0]?.name;
  return [
    {
      text: `cluster.network.bridge: ${network.bridge} is no bridge of the node that the login may use`,
      ...(other && { edit: { path: ["cluster", "network", "bridge"], value: other } }),
    },
  ];
}

/** The certificate is held against what the stack file trusts; if it does not do, what is served now is shown. */
async function trusted(
  setup: Setup,
  endpoint: string,
  { caFile, fingerprint }: { caFile?: string; fingerprint?: string },
): Promise<{ accepted: EndpointCertificate; isNew: boolean }> {
  const { env, ui, options, root } = setup;
  const path = caFile && fileAt(root, caFile);
  const accepted = await lookAtEndpoint(endpoint, path ? { ...env, SSL_CERT_FILE: path } : env);
  if (accepted.trustedBy !== undefined || accepted.fingerprint === fingerprint?.toUpperCase())
    // By its fingerprint, whatever happens to files meanwhile.
    return { accepted: pinned(accepted), isNew: false };
  ui.warn(`${caFile ?? "The stack"} does not trust the certificate of ${endpoint} (${accepted.untrusted}).`);
  await acceptCertificate(ui, options, accepted);
  return { accepted, isNew: true };
}

/** A path of the config: relative ones start at the checkout. */
const fileAt = (root: string, file: string) => (file.startsWith("~") ? localPath(file) : resolve(root, file));

const pinned = ({ trustedBy: _, ...certificate }: EndpointCertificate): EndpointCertificate => certificate;

/** Looks whether a stack still fits its cluster, and changes what the user says: comments and all other keys stay. */
export async function repairStack(setup: Setup, stack: string): Promise<number> {
  const { ui, options, root, env, journal } = setup;
  checkKnown(options, stack);
  const file = join(root, `Pulumi.${stack}.yaml`);
  const doc = read(file);
  ui.step(
    `Pulumi.${stack}.yaml exists; checking whether it still fits the cluster. Nothing is changed unless you say so.`,
  );
  const lines = applyEdits(doc, editsFrom(options, sectionsOf(doc)));
  if (!ui.interactive && !options.has("stack") && (lines.length > 0 || options.has("token-stdin")))
    throw new UsageError(
      `Pulumi.${stack}.yaml exists: --stack ${stack} changes it, another name for --stack makes a new stack`,
    );
  const tls = (sectionsOf(doc).cluster.tls ?? {}) as { caFile?: string; fingerprint?: string };
  const fleet = fleetOf(sectionsOf(doc));
  const backend = chooseBackend(root, options.text("backend"), env, false);
  const toolchain = await ensureToolchain();
  const pulumi = pulumiFor(toolchain, root, backend.env);
  const { accepted, isNew } = await trusted(setup, fleet.cluster.endpoint, tls);
  const newToken = options.has("token-stdin") ? await setup.stdin() : undefined;
  const { id, secret } = tokenLogin(newToken ?? (await storedToken(pulumi, stack, env)));
  const session = await logIn(accepted, { kind: "token", id, secret });
  const files: NewFile[] = [];
  try {
    if (isNew) {
      const trust = await settleTrust(session.client, accepted);
      lines.push(...trustEdits(doc, trust, stack));
      if (trust.kind !== "trusted") files.push({ path: join(root, caName(stack)), text: trust.pem });
    }
    for (const { text, edit } of await differences(session, fleet)) {
      ui.warn(text);
      if (!edit || !ui.interactive) continue;
      if (await ui.confirm(`Set ${edit.path.join(".")} to ${shown(edit.value)}?`))
        lines.push(...applyEdits(doc, [edit]));
    }
    const missing = (await checkLogin(session.client, fleetOf(sectionsOf(doc)))).filter(({ optional }) => !optional);
    if (missing.length > 0)
      ui.warn(`The token ${id} lacks rights; on a node, as root:\n${missing.flatMap(({ todo }) => todo).join("\n")}`);
  } finally {
    await session.client.close();
  }
  if (newToken !== undefined) {
    const { apiToken } = await encrypt(pulumi, root, stack, `${id}=${secret}`, readFileSync(file, "utf8"));
    doc.setIn(keyOf(["apiToken"]), doc.createNode(apiToken));
    lines.push("apiToken: the new one, encrypted");
  }
  if (lines.length === 0) ui.say("The stack file stays as it is.");
  else {
    ui.say(`Changes of the stack file:\n${lines.map((line) => `  ${line}`).join("\n")}`);
    if (ui.interactive && !options.has("print") && !(await ui.confirm("Write them?"))) throw new Cancelled();
  }
  const text = doc.toString({ lineWidth: 0 });
  if (options.has("print")) {
    setup.print(text);
    return 0;
  }
  if (lines.length > 0) writeFiles([...files, { path: file, text }]);
  rememberBackend(root, backend);
  journal.isDone = true;
  return finish(setup, { stack, backend });
}

/** Stands for a value that is encrypted: a text that any key takes which may be encrypted. */
const STAND_IN = "https://encrypted.invalid/value";

const isEncrypted = (value: unknown): boolean =>
  typeof value === "object" && value !== null && typeof (value as { secure?: unknown }).secure === "string";

function sectionsOf(doc: Document): Config {
  const readable = JSON.parse(
    JSON.stringify(doc.toJS() ?? {}, (_key, value: unknown) => (isEncrypted(value) ? STAND_IN : value)),
  ) as { config?: Record<string, Record<string, unknown>> };
  const { config = {} } = readable;
  const section = (name: string) => config[`${PROJECT}:${name}`] ?? {};
  return { cluster: section("cluster"), templates: section("templates"), cloneSets: section("cloneSets") };
}

function trustEdits(doc: Document, trust: Trust, stack: string): string[] {
  if (trust.kind === "trusted") return [];
  const changed = applyEdits(doc, [{ path: ["cluster", "tls"], value: { caFile: `./${caName(stack)}` } }]);
  return changed.length > 0
    ? changed
    : [`${caName(stack)}: ${trust.kind === "ca" ? trust.subject : "the certificate itself"}`];
}

/** The token that the stack has; it stays in memory. */
async function storedToken(
  pulumi: ReturnType<typeof pulumiFor>,
  stack: string,
  env: NodeJS.ProcessEnv,
): Promise<string> {
  const got = await pulumi(["config", "get", "apiToken", "--stack", stack]);
  if (got.code === 0 && got.stdout.trim() !== "") return got.stdout.trim();
  if (env.PROXMOX_VE_API_TOKEN) return env.PROXMOX_VE_API_TOKEN;
  throw new PulumiError(
    `the token of stack ${stack} cannot be read: give it with --token-stdin, or the passphrase that encrypts it`,
    got,
  );
}

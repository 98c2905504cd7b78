import { existsSync } from "node:fs";
import { join } from "node:path";
import { snippetNodes } from "../providers/preflight/needs.ts";
import { ensureToolchain } from "../toolchain/install.ts";
import type { PulumiResult } from "../toolchain/pulumi.ts";
import { type Answers, type Config, configOf, fleetOf } from "./answers.ts";
import { acceptCertificate, askEndpoint, askLogin, type LoggedIn } from "./askCluster.ts";
import { askClones, askImage, askPublicKey, askVmIds } from "./askFleet.ts";
import { askPlaces } from "./askPlaces.ts";
import { askSsh } from "./askSsh.ts";
import {
  type Backend,
  chooseBackend,
  makeLocal,
  makeStack,
  PulumiError,
  pulumiFor,
  rememberBackend,
} from "./backend.ts";
import { checkLogin } from "./cluster/access.ts";
import { type EndpointCertificate, settleTrust, type Trust } from "./cluster/certificate.ts";
import { addContent, type ContentType, type NodeDatastore } from "./cluster/datastores.ts";
import { logIn } from "./cluster/session.ts";
import { projectOf } from "./fleet/cli.ts";
import { trustEnvironment } from "./fleet/environment.ts";
import type { Journal } from "./journal.ts";
import { nextSteps } from "./nextSteps.ts";
import { type Options, tokenNameOf, UsageError } from "./options.ts";
import { plannedChanges, type SettledLogin, settleLogin, takeBackToken, tokenOf } from "./settleLogin.ts";
import { stackText } from "./stackText.ts";
import { Cancelled, type Ui } from "./ui.ts";
import { writeFiles } from "./writeFiles.ts";

export interface Setup {
  root: string;
  env: NodeJS.ProcessEnv;
  options: Options;
  ui: Ui;
  journal: Journal;
  stdin: () => Promise<string>;
  /** Gets the stack file with --print. */
  print: (text: string) => void;
}

/** Exit code for a stack that is written, but does not pass preflight. */
const PREFLIGHT_FAILED = 4;

const DEV =
  "dev is the stack of the lab (Pulumi.dev.yaml is part of this project); expected another name, for example home";

export const wrongStack = (name: string): string | undefined => {
  if (name === "dev") return DEV;
  return /^[A-Za-z0-9_.-]{1,100}$/.test(name) ? undefined : 'expected letters, digits, "-", "_" and "."';
};

/** Everything that nobody can be asked for is missing at once. */
export function checkAnswered({ ui, options, root }: Pick<Setup, "ui" | "options" | "root">): void {
  if (ui.interactive) return;
  const missing: string[] = [];
  // A stack that exists has the answers.
  const stack = options.text("stack") ?? "home";
  if (stackExists(root, stack)) return;
  if (!options.has("endpoint")) missing.push("--endpoint HOST");
  if (!options.has("password-stdin") && !options.has("token-stdin") && options.text("login") !== "lines")
    missing.push("--password-stdin (of root@pam, or of --username), or --token-stdin");
  if (!options.has("yes")) {
    if (!options.has("stack")) missing.push("--stack NAME");
    if (!options.has("image") && !options.has("image-url")) missing.push("--image NAME or --image-url URL");
    if (!options.has("clones")) missing.push("--clones NUMBER");
  }
  if (missing.length === 0) return;
  const more = options.has("yes")
    ? ""
    : "\n--yes uses defaults for all but the endpoint and the login. All options: --help";
  throw new UsageError(
    `There is no terminal to ask in. Missing:\n${missing.map((one) => `  ${one}`).join("\n")}${more}`,
  );
}

/** A content type that is switched on. */
interface NewContent {
  storage: string;
  type: ContentType;
}

export async function makeNewStack(setup: Setup, stack: string): Promise<number> {
  const { ui, options, env, root } = setup;
  const shown = await askEndpoint(ui, options, env);
  await acceptCertificate(ui, options, shown);
  const names = {
    user: options.text("token-user") ?? "golden@pve",
    token: options.text("token-name") ?? tokenNameOf(stack),
  };
  const loggedIn = await askLogin(ui, options, shown, { names, stdin: setup.stdin });
  const { client, who, version } = loggedIn.session;
  try {
    ui.step(`${shown.endpoint} is Proxmox VE ${version}; logged in as ${who}`);
    const trust = await settleTrust(client, shown);
    const { answers, content } = await askAnswers(setup, loggedIn, shown, trust, stack);
    const config = configOf(answers);
    const login = await settleLogin(ui, options, loggedIn, { names, fleet: fleetOf(config) });
    const backend = chooseBackend(root, options.text("backend"), env);
    await agree(setup, { stack, answers, content, login, backend });
    if (options.has("print")) {
      setup.print(stackText(stack, config));
      return 0;
    }
    return await make(setup, { stack, config, ssh: answers.ssh, content, login, backend, trust, loggedIn, shown });
  } finally {
    await client.close();
  }
}

export const caName = (stack: string) => `${stack}-ca.pem`;

async function askAnswers(
  setup: Setup,
  { session: { client } }: LoggedIn,
  { endpoint }: EndpointCertificate,
  trust: Trust,
  stack: string,
): Promise<{ answers: Answers; content: NewContent[] }> {
  const { ui, options, env } = setup;
  const places = await askPlaces(ui, options, client);
  const image = await askImage(ui, options);
  const publicKey = await askPublicKey(ui, options);
  const set = await askClones(ui, options, client, places);
  const vmIds = await askVmIds(options, client, set.count);
  const { node, images, disks, bridge } = places;
  const withoutSsh: Answers = {
    endpoint,
    ...(trust.kind !== "trusted" && { caFile: `./${caName(stack)}` }),
    node,
    datastores: { images: images.storage, disks: disks.storage },
    bridge: bridge.name,
    template: { ...image, publicKey, vmId: vmIds.template },
    set: { ...set, firstVmId: vmIds.first },
  };
  const isNeeded = snippetNodes(fleetOf(configOf(withoutSsh))).length > 0;
  const usable = await askSsh(ui, options, { client, places, env, isNeeded });
  const used: [NodeDatastore | undefined, ContentType][] = [
    [images, "import"],
    [disks, "images"],
    [usable?.snippets, "snippets"],
  ];
  const content = used.flatMap(([datastore, type]) =>
    datastore && !datastore.content.includes(type) ? [{ storage: datastore.storage, type }] : [],
  );
  if (!usable) return { answers: withoutSsh, content };
  const datastores = { ...withoutSsh.datastores, snippets: usable.snippets.storage };
  return { answers: { ...withoutSsh, datastores, ssh: usable.ssh }, content };
}

interface Agreement {
  stack: string;
  answers: Answers;
  content: readonly NewContent[];
  login: SettledLogin;
  backend: Backend;
}

/** The last word before anything is made. */
async function agree({ ui, options }: Setup, { stack, answers, content, login, backend }: Agreement): Promise<void> {
  const { template, set, node } = answers;
  const clones =
    set.count === 0
      ? "no clones"
      : `${set.count} ${set.mode} ${set.count === 1 ? "clone" : "clones"} ${set.key}-1 … (VMID ${set.firstVmId} …), ${set.ipRange ?? "DHCP"}`;
  ui.say(
    [
      `Stack ${stack}, state ${backend.text}:`,
      `  template ${template.key} (VMID ${template.vmId}) on ${node}, ${clones}`,
      ...(options.has("print") ? ["Would be made on the cluster:"] : ["To be made on the cluster:"]),
      ...[
        ...content.map(
          ({ storage, type }) => `datastore ${storage} gets the content type ${type}, and keeps those that it has`,
        ),
        ...plannedChanges(login),
        ...("token" in login && content.length === 0 ? ["nothing: the token has all the rights that are needed"] : []),
      ].map((line) => `  ${line}`),
    ].join("\n"),
  );
  if (ui.interactive && !options.has("print") && !(await ui.confirm("Go ahead?"))) throw new Cancelled();
}

interface Making extends Omit<Agreement, "answers"> {
  config: Config;
  ssh: Answers["ssh"];
  trust: Trust;
  loggedIn: LoggedIn;
  shown: EndpointCertificate;
}

async function make(setup: Setup, making: Making): Promise<number> {
  const { root, ui, journal } = setup;
  const { stack, config, content, login, backend, trust, loggedIn, shown } = making;
  const toolchain = await ensureToolchain();
  const pulumi = pulumiFor(toolchain, root, backend.env);
  const caFile = trust.kind === "trusted" ? undefined : join(root, caName(stack));
  const file = join(root, `Pulumi.${stack}.yaml`);

  // Backend and passphrase are tried before there is a token, which could not be read again.
  makeLocal(root, backend);
  const { isNew } = await makeStack(pulumi, root, stack, "a text to encrypt");
  // From the first thing that is made on, all of it is made: it takes seconds.
  journal.isWriting = true;
  for (const { storage, type } of content) {
    await addContent(loggedIn.session.client, storage, type);
    journal.made(`content type ${type} of datastore ${storage}`);
  }
  const token = await tokenOf(loggedIn, login, journal);
  try {
    const { secrets } = await makeStack(pulumi, root, stack, token);
    writeFiles([
      ...(caFile !== undefined && trust.kind !== "trusted" ? [{ path: caFile, text: trust.pem }] : []),
      { path: file, text: stackText(stack, config, secrets) },
    ]);
  } catch (error) {
    await takeBackToken(loggedIn, login, journal);
    throw error;
  }
  if (!isNew) ui.say(`Pulumi has a stack ${stack} already: its state stays.`);
  rememberBackend(root, backend);
  making.ssh?.remember?.();
  journal.isWriting = false;
  journal.isDone = true;
  await pulumi(["stack", "select", stack]);
  ui.step(`Written: Pulumi.${stack}.yaml${caFile === undefined ? "" : ` and ${caName(stack)}`}`);

  const [id = "", secret = ""] = token.split(/=(.*)/s);
  if ("plan" in login) await checkMade(setup, shown, { id, secret }, config);
  return await finish(setup, { stack, backend });
}

async function checkMade(
  { ui }: Setup,
  shown: EndpointCertificate,
  { id, secret }: { id: string; secret: string },
  config: Config,
): Promise<void> {
  const { client } = await logIn(shown, { kind: "token", id, secret });
  try {
    const missing = (await checkLogin(client, fleetOf(config))).filter(({ optional }) => !optional);
    if (missing.length > 0)
      ui.warn(`The token ${id} lacks rights; on a node, as root:\n${missing.flatMap(({ todo }) => todo).join("\n")}`);
  } finally {
    await client.close();
  }
}

interface Finishing {
  stack: string;
  backend: Backend;
}

/** What the engine says besides its tree of resources. */
function whatFailed(preview: PulumiResult): string {
  const [, diagnostics] = /^Diagnostics:\n([\s\S]*?)(?=^Resources:|$(?![\s\S]))/m.exec(preview.stdout) ?? [];
  return diagnostics?.trimEnd() ?? new PulumiError("pulumi preview failed", preview).message;
}

/** Preflight, and what to run next. */
export async function finish(setup: Setup, { stack, backend }: Finishing): Promise<number> {
  const { ui, options, root, env } = setup;
  // What is wrong with the certificate is among what preflight tells.
  const trust = await trustEnvironment(root, projectOf(root), stack, { env, isRun: true }).catch(() => ({}));
  const complete = { ...backend, env: { ...backend.env, ...trust } };
  let code = 0;
  if (!options.has("no-preflight")) {
    const toolchain = await ensureToolchain();
    ui.step("Preflight (pulumi preview): nothing is changed");
    const preview = await pulumiFor(toolchain, root, complete.env)(["preview", "--stack", stack, "--suppress-outputs"]);
    if (preview.code === 0) ui.say("Preflight found nothing that stops a run.");
    else {
      ui.warn(whatFailed(preview));
      code = PREFLIGHT_FAILED;
    }
  }
  const title = code === 0 ? "Ready. Next:" : `Fix that, or run setup again: npm run setup -- --stack ${stack}. Then:`;
  ui.lines(title, nextSteps(stack, complete, root));
  return code;
}

export const stackExists = (root: string, stack: string): boolean => existsSync(join(root, `Pulumi.${stack}.yaml`));

import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse, stringify } from "yaml";
import type { z } from "zod";
import type { cloneSetSchema } from "../config/cloneSet.ts";
import type { clusterSchema } from "../config/cluster.ts";
import type { TemplateInput } from "../config/template.ts";
import { type Lab, startLab } from "../lab/lab.ts";
import { stackEnvironment } from "../lab/stack.ts";
import { ensureToolchain, type Toolchain } from "../toolchain/install.ts";
import { runPulumi } from "../toolchain/pulumi.ts";

const root = join(import.meta.dirname, "..");
/** What a run of the program needs of the checkout. */
export const PROGRAM: readonly string[] = [
  "Pulumi.yaml",
  "package.json",
  "index.ts",
  "program.ts",
  "fastStart.mjs",
  "nodeVersion.mjs",
  "config",
  "components",
  "fleet",
  "providers",
  "proxmox",
];

/** The stack config without the project's name in front of its keys. */
export interface StackConfig {
  cluster: z.input<typeof clusterSchema>;
  templates?: Record<string, TemplateInput>;
  cloneSets?: Record<string, z.input<typeof cloneSetSchema>>;
}

export type Operation =
  | "create"
  | "update"
  | "replace"
  | "create-replacement"
  | "delete-replaced"
  | "delete"
  | "same"
  | "refresh";

/** What one engine run did. */
export interface Run {
  code: number;
  /** All that the user saw. */
  output: string;
  /** Number of resources by operation, counted by the engine. */
  changes: Partial<Record<Operation, number>>;
  /** Steps of the engine, `same` left out: operation and resource name. */
  steps: { op: Operation; name: string }[];
  /** Texts of errors and warnings, without colours. */
  diagnostics: string;
}

interface EngineEvent {
  resourcePreEvent?: { metadata: { op: Operation; urn: string } };
  summaryEvent?: { resourceChanges?: Partial<Record<Operation, number>> };
  diagnosticEvent?: { message: string; severity: string };
}

export interface Project {
  dir: string;
  lab: Lab;
  /** Environment of the CLI; tests may change it. */
  env: Record<string, string>;
  config: StackConfig;
  /** Writes `config`, or a changed one, as the stack's config. */
  configure(change?: (config: StackConfig) => void): Promise<void>;
  /** A value as `pulumi config set --secret` writes it; for a place in `config` that is a text. */
  encrypt(value: string): Promise<string>;
  pulumi(
    command: string,
    args?: string[],
    options?: { signal?: AbortSignal; onOutput?: (text: string) => void },
  ): Promise<Run>;
  /** The stack's outputs. */
  outputs(): Promise<Record<string, unknown>>;
  /** Gives the stack another name (`pulumi stack rename`), and its config file too. */
  renameStack(name: string): Promise<void>;
  /** The stack's state as it is stored. */
  state(): Promise<string>;
  /** Stores another state in its place. */
  importState(state: string): Promise<void>;
  close(): Promise<void>;
}

/** A config of one template and three clones for a lab. */
export function labConfig(lab: Lab): StackConfig {
  return {
    cluster: {
      endpoint: lab.endpoint,
      tls: { caFile: lab.caFile },
      ssh: {
        privateKeyFile: lab.ssh.privateKeyFile,
        nodes: { ...lab.ssh.nodes },
      },
      node: "pve1",
      network: { dns: { servers: ["10.0.0.1"], domain: "example.net" } },
    },
    templates: {
      noble: {
        vmId: 9000,
        image: { url: lab.image.url, checksum: lab.image.checksum, keepImage: false },
        uefi: { enabled: true },
        tpm: { enabled: true },
        cloudInit: { user: "ubuntu", sshPublicKeyFile: lab.ssh.publicKeyFile, packages: ["qemu-guest-agent"] },
      },
    },
    cloneSets: {
      web: {
        template: "noble",
        clones: [1, 2, 3].map((n) => ({
          name: `web-${n}`,
          vmId: 9100 + n,
          ip: `10.0.0.${20 + n}/24`,
          gateway: "10.0.0.1",
        })),
      },
    },
  };
}

/** The provider of the engine's own functions, which it shows nobody, counts nowhere, and takes for no change. */
const isHidden = (urn: string): boolean => urn.includes("::pulumi:providers:pulumi::default");

const COLOURS = /<\{%.*?%\}>/g;

async function readEvents(file: string): Promise<EngineEvent[]> {
  const text = await readFile(file, "utf8").catch(() => "");
  return text
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line) as EngineEvent);
}

/**
 * A project folder of its own, as a user's checkout, with a lab of its own.
 *
 * @param name of the folder
 * @param options.prepareLab puts into the lab's folder what is to be there before it is started
 * @param options.nodes of the lab, `pve1` among them
 */
export async function openProject(
  name = "project",
  {
    prepareLab = async () => undefined,
    nodes,
  }: { prepareLab?: (dir: string) => Promise<unknown>; nodes?: string[] } = {},
): Promise<Project> {
  const parent = await mkdtemp(join(tmpdir(), "golden-fleet-"));
  const dir = join(parent, name);
  await mkdir(dir);
  for (const name of PROGRAM) await cp(join(root, name), join(dir, name), { recursive: true });
  await symlink(join(root, "node_modules"), join(dir, "node_modules"));
  await prepareLab(join(dir, "lab"));
  const lab = await startLab({ dir: join(dir, "lab"), timeScale: 0.02, ...(nodes && { nodes }) });
  const toolchain = await ensureToolchain();
  const env = stackEnvironment(lab);
  let stack = "test";
  const project: Project = {
    dir,
    lab,
    env,
    config: labConfig(lab),
    async configure(change) {
      change?.(project.config);
      const config = Object.fromEntries(
        Object.entries(project.config).map(([key, value]) => [`proxmox-golden-fleet:${key}`, value]),
      );
      await writeFile(join(dir, `Pulumi.${stack}.yaml`), stringify({ config }));
    },
    async encrypt(value) {
      const file = join(dir, `Pulumi.${stack}.encrypt.yaml`);
      await cp(join(dir, `Pulumi.${stack}.yaml`), file);
      const args = ["config", "set", "--stack", stack, "--config-file", file, "--secret", "value", "--", value];
      const run = await runPulumi(toolchain, args, { cwd: dir, env, ...silent });
      if (run.code !== 0) throw new Error(run.stderr);
      const { config } = parse(await readFile(file, "utf8")) as { config: Record<string, unknown> };
      await rm(file);
      return config["proxmox-golden-fleet:value"] as string;
    },
    pulumi: (command, args = [], options = {}) => runEngine(toolchain, dir, env, stack, command, args, options),
    async outputs() {
      const run = await runPulumi(toolchain, ["stack", "output", "--json", "--stack", stack], {
        cwd: dir,
        env,
        ...silent,
      });
      return JSON.parse(run.stdout) as Record<string, unknown>;
    },
    async renameStack(name) {
      const run = await runPulumi(toolchain, ["stack", "rename", name, "--stack", stack], { cwd: dir, env, ...silent });
      if (run.code !== 0) throw new Error(run.stderr);
      stack = name;
    },
    async state() {
      return (await runPulumi(toolchain, ["stack", "export", "--stack", stack], { cwd: dir, env, ...silent })).stdout;
    },
    async importState(state) {
      const file = join(dir, "state.json");
      await writeFile(file, state);
      const options = { cwd: dir, env, ...silent };
      const { code, stderr } = await runPulumi(
        toolchain,
        ["stack", "import", "--stack", stack, "--file", file],
        options,
      );
      if (code !== 0) throw new Error(stderr);
    },
    async close() {
      await lab.stop();
      await rm(parent, { recursive: true, force: true });
    },
  };
  await project.configure();
  await mkdir(join(dir, "events"), { recursive: true });
  const init = await runPulumi(toolchain, ["stack", "select", "--create", stack], { cwd: dir, env, ...silent });
  if (init.code !== 0) throw new Error(init.stderr);
  // The CLI has written the stack's salt into the config; keep it through later writes.
  const salted = await readFile(join(dir, `Pulumi.${stack}.yaml`), "utf8");
  const salt = /^encryptionsalt: .*$/m.exec(salted)?.[0] ?? "";
  const write = project.configure;
  project.configure = async (change) => {
    await write(change);
    const file = join(dir, `Pulumi.${stack}.yaml`);
    await writeFile(file, `${salt}\n${await readFile(file, "utf8")}`);
  };
  return project;
}

const silent = { onStdout: () => undefined, onStderr: () => undefined };
let runs = 0;

async function runEngine(
  toolchain: Toolchain,
  dir: string,
  env: Record<string, string>,
  stack: string,
  command: string,
  args: string[],
  { signal, onOutput }: { signal?: AbortSignal; onOutput?: (text: string) => void },
): Promise<Run> {
  const file = join(dir, "events", `${++runs}.json`);
  const yes = command === "preview" ? [] : ["--yes"];
  let output = "";
  const collect = (text: string) => {
    output += text;
    onOutput?.(text);
  };
  const { code } = await runPulumi(
    toolchain,
    [command, ...yes, "--stack", stack, "--non-interactive", "--event-log", file, ...args],
    {
      cwd: dir,
      env: { ...env, PULUMI_DEBUG_COMMANDS: "true" },
      onStdout: collect,
      onStderr: collect,
      ...(signal && { signal }),
    },
  );
  const events = await readEvents(file);
  const nameOf = (urn: string) => urn.split("::").at(-1) ?? "";
  return {
    code,
    output,
    changes: events.flatMap(({ summaryEvent }) => summaryEvent?.resourceChanges ?? []).at(-1) ?? {},
    steps: events.flatMap(({ resourcePreEvent }) =>
      resourcePreEvent && resourcePreEvent.metadata.op !== "same" && !isHidden(resourcePreEvent.metadata.urn)
        ? [{ op: resourcePreEvent.metadata.op, name: nameOf(resourcePreEvent.metadata.urn) }]
        : [],
    ),
    diagnostics: events
      .flatMap(({ diagnosticEvent }) =>
        diagnosticEvent && /error|warning/.test(diagnosticEvent.severity) ? [diagnosticEvent.message] : [],
      )
      .join("\n")
      .replace(COLOURS, ""),
  };
}

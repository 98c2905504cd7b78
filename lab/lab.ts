import { type ChildProcess, execFile, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, open, readFile, rm } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { LabControl } from "./control.ts";
import { alive, LabError, type Log, labPython, repositoryRoot } from "./venv.ts";

export type { LabState, LoggedRequest, RequestLog, VmConfig, VmState } from "./control.ts";
export { LabControl } from "./control.ts";
export { LabError } from "./venv.ts";

/** Where the lab of this checkout lives. */
export const defaultLabDir = path.join(repositoryRoot, ".lab");

/** The ports of the lab that `npm start` and `npm run lab` use; SSH of further nodes follows that of the first. */
export const fixedPorts = { api: 18006, ssh: 18022, images: 18080, control: 18099 } as const;

export interface LabImage {
  readonly url: string;
  /** `sha256:…` */
  readonly checksum: string;
  readonly checksumUrl: string;
  /** Bytes of the file. */
  readonly size: number;
}

export interface SshAddress {
  readonly address: string;
  readonly port: number;
}

export interface Lab {
  readonly dir: string;
  readonly pid: number;
  /** `https://127.0.0.1:PORT` */
  readonly endpoint: string;
  /** PEM of the CA that signed the API's certificate. */
  readonly caFile: string;
  /** SHA-256 fingerprint of the API's certificate, `AA:BB:…`. */
  readonly fingerprint: string;
  /** `user@realm!name=secret` of the least-privilege token. */
  readonly apiToken: string;
  /** Token of root@pam. */
  readonly rootToken: string;
  readonly rootPassword: string;
  /** `address` and `port` are those of the first node. */
  readonly ssh: SshAddress & {
    /** Every node's own SSH; all have the same host key. */
    readonly nodes: Readonly<Record<string, SshAddress>>;
    readonly username: string;
    readonly privateKeyFile: string;
    readonly publicKeyFile: string;
    readonly hostKeyFile: string;
  };
  readonly nodes: readonly string[];
  readonly image: LabImage;
  /** Base URL of the image server. */
  readonly imagesUrl: string;
  readonly control: LabControl;
  /** Stops the lab; its state stays in `dir`. */
  stop(): Promise<void>;
}

export interface LabOptions {
  /** Folder of the lab: keys, certificates, state, log. Default: `.lab` in the checkout. */
  readonly dir?: string;
  /** `fixed`: {@link fixedPorts}; `free`: whatever the system gives. Default `free`. */
  readonly ports?: "fixed" | "free";
  /** Real seconds per PVE second. Default 0.1. */
  readonly timeScale?: number;
  /** `recorded` is the pristine node that the recordings start from. Default `default`. */
  readonly seed?: "default" | "recorded";
  /** Nodes of a new lab. Default `pve1` and `pve2`. Only with the default seed. */
  readonly nodes?: readonly string[];
  /** True: outlives this process. Default: ends with it. */
  readonly detached?: boolean;
  readonly log?: Log;
}

interface LabInfo {
  readonly lab: string;
  readonly pid: number;
  readonly instance: string;
  readonly ports: { readonly api: number; readonly ssh: number; readonly images: number; readonly control: number };
  readonly sshPorts: Readonly<Record<string, number>>;
  readonly nodes: readonly string[];
  readonly apiToken: string;
  readonly rootToken: string;
  readonly rootPassword: string;
  readonly fingerprint: string;
  readonly image: LabImage;
}

const host = "127.0.0.1";
const portInUse = 98;
const readyTimeoutMs = 60_000;
const stopTimeoutMs = 10_000;
const pollMs = 50;

const delay = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function readInfo(dir: string): Promise<LabInfo | undefined> {
  try {
    return JSON.parse(await readFile(path.join(dir, "lab.json"), "utf8")) as LabInfo;
  } catch {
    return undefined;
  }
}

/** Asks the control interface whether it is the lab that `lab.json` describes. */
async function answers(info: LabInfo): Promise<boolean> {
  try {
    const answer = await fetch(`http://${host}:${info.ports.control}/health`, { signal: AbortSignal.timeout(2_000) });
    const health = (await answer.json()) as { instance?: string };
    return health.instance === info.instance;
  } catch {
    return false;
  }
}

/** True if the process of this id is the lab of this folder, and not one that got its number later. */
async function isLabProcess(info: LabInfo): Promise<boolean> {
  if (!alive(info.pid)) return false;
  if (await answers(info)) return true;
  try {
    // Linux first: slim images have no `ps`.
    return (await readFile(`/proc/${info.pid}/cmdline`, "utf8")).includes(info.instance);
  } catch {
    // No /proc here.
  }
  try {
    const { stdout } = await promisify(execFile)("ps", ["-o", "command=", "-p", String(info.pid)]);
    return stdout.includes(info.instance);
  } catch {
    return false;
  }
}

function toLab(dir: string, info: LabInfo, stop: () => Promise<void>): Lab {
  return {
    dir,
    pid: info.pid,
    endpoint: `https://${host}:${info.ports.api}`,
    caFile: path.join(dir, "ca.pem"),
    fingerprint: info.fingerprint,
    apiToken: info.apiToken,
    rootToken: info.rootToken,
    rootPassword: info.rootPassword,
    ssh: {
      address: host,
      port: info.ports.ssh,
      nodes: Object.fromEntries(Object.entries(info.sshPorts).map(([node, port]) => [node, { address: host, port }])),
      username: "root",
      privateKeyFile: path.join(dir, "id_ed25519"),
      publicKeyFile: path.join(dir, "id_ed25519.pub"),
      hostKeyFile: path.join(dir, "ssh_host_ed25519_key.pub"),
    },
    nodes: info.nodes,
    image: info.image,
    imagesUrl: `http://${host}:${info.ports.images}`,
    control: new LabControl(`http://${host}:${info.ports.control}`),
    stop,
  };
}

/** The lab of a folder, if it runs. */
export async function connectLab(dir: string = defaultLabDir): Promise<Lab | undefined> {
  const info = await readInfo(path.resolve(dir));
  if (info === undefined || !(await answers(info))) return undefined;
  return toLab(path.resolve(dir), info, () => stopLab(dir).then(() => undefined));
}

/**
 * Stops the lab of a folder by its own process id, after making sure that it is that lab. False if none runs.
 *
 * @throws LabError when it does not end.
 */
export async function stopLab(dir: string = defaultLabDir): Promise<boolean> {
  const file = path.join(path.resolve(dir), "lab.json");
  const info = await readInfo(path.resolve(dir));
  if (info === undefined) return false;
  if (!(await isLabProcess(info))) {
    // It was killed, or the machine was restarted: what is left is the note.
    await rm(file, { force: true });
    return false;
  }
  for (const signal of ["SIGTERM", "SIGKILL"] as const) {
    try {
      process.kill(info.pid, signal);
    } catch {
      break;
    }
    const deadline = Date.now() + stopTimeoutMs;
    while (alive(info.pid) && Date.now() < deadline) await delay(pollMs);
    if (!alive(info.pid)) break;
  }
  if (alive(info.pid)) throw new LabError(`The lab (process ${info.pid}) does not end.`);
  await rm(file, { force: true });
  return true;
}

/** Stops the lab of a folder and throws its state, keys and log away. */
export async function resetLab(dir: string = defaultLabDir): Promise<void> {
  const folder = path.resolve(dir);
  await stopLab(folder);
  if (!existsSync(folder)) return;
  const known = ["state.json", "id_ed25519", "ca.pem", "lab.log", "nodes"];
  if (!known.some((name) => existsSync(path.join(folder, name)))) {
    throw new LabError(`${folder} does not look like a lab's folder: nothing was removed.`);
  }
  await rm(folder, { recursive: true, force: true });
}

function childArguments(dir: string, options: LabOptions, instance: string): string[] {
  const ports = options.ports === "fixed" ? fixedPorts : { api: 0, ssh: 0, images: 0, control: 0 };
  return [
    ...["-m", "server", "--dir", dir, "--instance", instance],
    ...["--api-port", String(ports.api), "--ssh-port", String(ports.ssh)],
    ...["--image-port", String(ports.images), "--control-port", String(ports.control)],
    ...["--seed", options.seed ?? "default", "--time-scale", String(options.timeScale ?? 0.1)],
    ...(options.nodes ? ["--nodes", options.nodes.join(",")] : []),
    ...(options.detached ? [] : ["--stop-with-stdin"]),
  ];
}

/** What the process says first: ready, or why not. */
async function firstWords(child: ChildProcess, outputFile: string): Promise<void> {
  let code: number | null | undefined;
  child.once("exit", (status) => {
    code = status;
  });
  child.once("error", () => {
    code = -1;
  });
  const deadline = Date.now() + readyTimeoutMs;
  for (;;) {
    const output = await readFile(outputFile, "utf8").catch(() => "");
    if (output.includes('{"ready": true}')) return;
    if (code !== undefined) throw whyNot(code, output, outputFile);
    if (Date.now() > deadline) {
      child.kill("SIGKILL");
      throw new LabError(`The lab did not answer within ${readyTimeoutMs / 1000} s.\n${output.slice(-2000)}`);
    }
    await delay(20);
  }
}

function whyNot(code: number | null, output: string, outputFile: string): LabError {
  const line = output.split("\n").find((text) => text.startsWith('{"error"'));
  if (code === portInUse && line !== undefined) {
    const { what, port } = JSON.parse(line) as { what: string; port: number };
    return new LabError(
      `Port ${port} on ${host}, which the lab's ${what} needs, is in use by another process. ` +
        `Find it with \`ss -ltnp 'sport = :${port}'\` (macOS: \`lsof -iTCP:${port} -sTCP:LISTEN\`) and stop it; ` +
        "if it is a lab of another checkout, run `npm run lab:down` there.",
    );
  }
  return new LabError(`The lab ended at once (exit code ${code}), see ${outputFile}:\n${output.trim().slice(-2000)}`);
}

/**
 * Starts a lab and waits until it answers. Several may run at once, each with a folder and free ports of its own.
 *
 * @throws LabError when Python is missing, a fixed port is taken, or a lab runs in that folder already.
 */
export async function startLab(options: LabOptions = {}): Promise<Lab> {
  const dir = path.resolve(options.dir ?? defaultLabDir);
  const running = await connectLab(dir);
  if (running !== undefined) {
    throw new LabError(`A lab is running in ${dir} already (process ${running.pid}, ${running.endpoint}).`);
  }
  const python = await labPython(options.log ?? (() => undefined));
  await mkdir(dir, { recursive: true });
  await rm(path.join(dir, "lab.json"), { force: true });
  const outputFile = path.join(dir, "output.log");
  const output = await open(outputFile, "w");
  const instance = randomBytes(8).toString("hex");
  const child = spawn(python, childArguments(dir, options, instance), {
    cwd: import.meta.dirname,
    stdio: [options.detached ? "ignore" : "pipe", output.fd, output.fd],
    detached: true,
    env: { ...process.env, PYTHONUNBUFFERED: "1", PYTHONDONTWRITEBYTECODE: "1" },
  });
  try {
    await firstWords(child, outputFile);
  } finally {
    await output.close();
  }
  const info = await readInfo(dir);
  if (info === undefined) throw new LabError(`The lab wrote no ${path.join(dir, "lab.json")}.`);
  child.unref();
  // The pipe that ends the lab with this process must not keep this process alive.
  (child.stdin as { unref?: () => void } | null)?.unref?.();
  return toLab(dir, info, async () => {
    // Now its end is waited for.
    child.ref();
    const ended =
      child.exitCode !== null || child.signalCode !== null
        ? Promise.resolve()
        : new Promise((resolve) => child.once("exit", resolve));
    await stopLab(dir);
    await ended;
  });
}

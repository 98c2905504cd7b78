import { spawn } from "node:child_process";
import { cp, mkdir, mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Lab } from "../lab/lab.ts";
import { PROGRAM } from "./project.ts";

const root = join(import.meta.dirname, "..");
/** What `npm run setup` needs of it besides. */
const CHECKOUT = [...PROGRAM, "package-lock.json", "setup", "toolchain"];

export interface Finished {
  code: number;
  stdout: string;
  stderr: string;
}

/** A checkout as a newcomer has it, and a home folder with the lab's SSH key. */
export interface Checkout {
  dir: string;
  env: NodeJS.ProcessEnv;
  setup(args: readonly string[], input?: string): Promise<Finished>;
  /** `npm run fleet -- …` */
  fleet(args: readonly string[]): Promise<Finished>;
  /** Runs setup in a terminal; each step is a text that is waited for, and the keys that are pressed then. */
  inTerminal(args: readonly string[], steps: readonly (readonly [string, string])[]): Promise<Finished>;
  close(): Promise<void>;
}

export async function openCheckout(lab: Lab): Promise<Checkout> {
  const parent = await mkdtemp(join(tmpdir(), "golden-fleet-setup-"));
  const dir = join(parent, "checkout");
  const ssh = join(parent, "home", ".ssh");
  await mkdir(dir);
  await mkdir(ssh, { recursive: true, mode: 0o700 });
  for (const name of CHECKOUT) await cp(join(root, name), join(dir, name), { recursive: true });
  for (const name of ["node_modules", ".toolchain"]) await symlink(join(root, name), join(dir, name));
  await cp(lab.ssh.privateKeyFile, join(ssh, "id_ed25519"));
  await cp(lab.ssh.publicKeyFile, join(ssh, "id_ed25519.pub"));
  const { PATH } = process.env;
  const env = { PATH, HOME: join(parent, "home"), NO_COLOR: "1" };
  return {
    dir,
    env,
    setup: (args, input = "") => run(process.execPath, ["setup/setup.ts", ...args], { cwd: dir, env, input }),
    fleet: (args) => run(process.execPath, ["setup/fleet.ts", ...args], { cwd: dir, env, input: "" }),
    inTerminal: (args, steps) => {
      const command = [join(root, "test", "terminal.py"), process.execPath, "setup/setup.ts", ...args];
      return run("python3", command, { cwd: dir, env, input: JSON.stringify(steps) });
    },
    close: () => rm(parent, { recursive: true, force: true }),
  };
}

function run(
  command: string,
  args: readonly string[],
  { cwd, env, input }: { cwd: string; env: NodeJS.ProcessEnv; input: string },
): Promise<Finished> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, env, stdio: "pipe" });
    const result: Finished = { code: 0, stdout: "", stderr: "" };
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      result.stdout += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      result.stderr += text;
    });
    child.on("error", reject);
    child.on("close", (code) => resolve({ ...result, code: code ?? 1 }));
    child.stdin.on("error", () => undefined).end(input);
  });
}

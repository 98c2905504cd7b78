// `npm run setup`: asks a live cluster what it has, and writes the config of a stack that works there.

import { constants } from "node:os";
import { fileURLToPath } from "node:url";
import { intro, outro } from "@clack/prompts";
import { ConfigError } from "../config/problem.ts";
import { ProxmoxError } from "../proxmox/errors.ts";
import { InterruptedError } from "../toolchain/interrupt.ts";
import { explained, isForUser } from "./askCluster.ts";
import { PulumiError } from "./backend.ts";
import { SetupError } from "./cluster/error.ts";
import { IMAGES } from "./images.ts";
import { Journal } from "./journal.ts";
import { helpText, parseOptions, UsageError } from "./options.ts";
import { repairStack } from "./repair.ts";
import { Cancelled, Ui } from "./ui.ts";
import { checkAnswered, makeNewStack, type Setup, stackExists, wrongStack } from "./wizard.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const journal = new Journal();

async function readStdin(): Promise<string> {
  let text = "";
  for await (const chunk of process.stdin.setEncoding("utf8")) text += chunk;
  // As with `read`: one line, whatever ends it.
  return text.split(/\r?\n/)[0] ?? "";
}

/** Gives the exit code. */
async function main(args: readonly string[]): Promise<number> {
  const options = parseOptions(args);
  if (options.has("help")) {
    process.stdout.write(helpText(IMAGES.map(({ name, title }) => `${name.padEnd(12)}${title}`)));
    return 0;
  }
  const secret = (["password-stdin", "token-stdin"] as const).find((name) => options.has(name));
  // A terminal would show what is typed.
  if (secret && process.stdin.isTTY)
    throw new UsageError(
      `--${secret}: stdin is a terminal; pipe it in (< file), or leave the option out: setup asks for it`,
    );
  const isTerminal = Boolean(process.stdin.isTTY && process.stdout.isTTY);
  const interactive = isTerminal && !options.has("yes");
  const ui = new Ui(options, { interactive, out: options.has("print") ? process.stderr : process.stdout });
  checkAnswered({ ui, options, root });
  if (interactive) intro("proxmox-golden-fleet setup: Enter takes what is proposed, Ctrl-C leaves everything as it is");
  const setup: Setup = {
    root,
    env: process.env,
    options,
    ui,
    journal,
    stdin: readStdin,
    print: (text) => process.stdout.write(text),
  };
  const stack = await ui.text({
    option: "stack",
    message: "What is the stack called? One stack is one cluster.",
    best: "home",
    check: wrongStack,
  });
  const code = await (stackExists(root, stack) ? repairStack : makeNewStack)(setup, stack);
  if (interactive) outro(code === 0 ? "Have fun." : "Not quite there.");
  return code;
}

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(signal, () => {
    // What is being written takes seconds, and half of it would be worse.
    if (journal.isWriting) return;
    process.stderr.write(`\nInterrupted. ${journal.text}\n`);
    process.exit(128 + constants.signals[signal]);
  });
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  process.exitCode = exitCode(error);
  process.stderr.write(`${messageOf(error)}\n`);
}

function exitCode(error: unknown): number {
  if (error instanceof Cancelled || error instanceof InterruptedError) return 130;
  if (error instanceof UsageError) return 2;
  return error instanceof SetupError && error.code === "rights" ? 3 : 1;
}

function messageOf(error: unknown): string {
  if (error instanceof UsageError) return error.message;
  if (error instanceof Cancelled || error instanceof InterruptedError) return `Interrupted. ${journal.text}`;
  const end = `\n${journal.text}`;
  if (isForUser(error)) return `${capital(explained(error))}${end}`;
  const isKnown = error instanceof ProxmoxError || error instanceof ConfigError || error instanceof PulumiError;
  if (isKnown) return `${capital(error.message)}${end}`;
  return `${error instanceof Error ? (process.env.DEBUG ? error.stack : error.message) : error}${end}`;
}

/** As a sentence; what begins with a name or an address stays. */
function capital(text: string): string {
  return /^[a-z]+[ ,]/.test(text) ? text.charAt(0).toUpperCase() + text.slice(1) : text;
}

import path from "node:path";
import { connectLab, defaultLabDir, type Lab, LabError, resetLab, startLab, stopLab } from "./lab.ts";

const usage = "Usage: npm run lab (foreground) | npm run lab:up | npm run lab:down | npm run lab:reset";

// `npm run lab:up | head -1` closes the pipe early: that is no error of ours.
process.stdout.on("error", () => undefined);

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

function show(lab: Lab): void {
  const folder = path.relative(process.cwd(), lab.dir) || lab.dir;
  say(`  API        ${lab.endpoint}   (CA: ${path.join(folder, "ca.pem")})`);
  say(`  token      ${lab.apiToken}`);
  say(`  root@pam   ${lab.rootPassword}`);
  for (const [node, { address, port }] of Object.entries(lab.ssh.nodes)) {
    say(`  SSH ${node}   ${lab.ssh.username}@${address} -p ${port} -i ${path.join(folder, "id_ed25519")}`);
  }
  say(`  images     ${lab.image.url}`);
  say(`  control    ${lab.control.url}`);
  say(`  log        ${path.join(folder, "lab.log")}`);
}

async function up(): Promise<void> {
  const running = await connectLab();
  if (running !== undefined) {
    say(`The lab is running already (process ${running.pid}).`);
    show(running);
    return;
  }
  const started = Date.now();
  const lab = await startLab({ ports: "fixed", detached: true, log: say });
  say(`The lab is up (process ${lab.pid}, ${((Date.now() - started) / 1000).toFixed(1)} s). Stop it: npm run lab:down`);
  show(lab);
}

/** One line per request of the API, as it comes in. */
async function follow(lab: Lab, until: AbortSignal): Promise<void> {
  let since = 0;
  while (!until.aborted) {
    const { api } = await lab.control.requests(since);
    for (const entry of api) {
      since = entry.n;
      if (entry.method === "GET") continue;
      say(
        `${new Date(entry.time * 1000).toISOString().slice(11, 19)} ${entry.method} ${entry.path} ${entry.status ?? ""}`,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

async function serve(): Promise<void> {
  const lab = await startLab({ ports: "fixed", log: say });
  say(`The lab runs (process ${lab.pid}). Ctrl-C stops it; its state stays.`);
  show(lab);
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stop.abort());
  const stopped = new Promise<void>((resolve) => stop.signal.addEventListener("abort", () => resolve()));
  await Promise.race([stopped, follow(lab, stop.signal).catch(() => undefined)]);
  if (!stop.signal.aborted) throw new LabError(`The lab ended by itself, see ${path.join(lab.dir, "lab.log")}.`);
  await lab.stop();
  say("The lab is stopped.");
}

const verbs: Readonly<Record<string, () => Promise<void>>> = {
  serve,
  up,
  down: async () => {
    say((await stopLab()) ? "The lab is stopped; its state stays." : "No lab is running.");
  },
  reset: async () => {
    await resetLab();
    say(`The lab is stopped and ${path.relative(process.cwd(), defaultLabDir)} is removed.`);
  },
};

const verb = verbs[process.argv[2] ?? ""];
if (verb === undefined) {
  process.stderr.write(`${usage}\n`);
  process.exitCode = 2;
} else {
  try {
    await verb();
  } catch (error) {
    if (!(error instanceof LabError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
  }
}

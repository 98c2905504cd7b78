// `npm start`: the main job, whole, against the lab. A second one finds everything as it should be.

import { ensureToolchain } from "../toolchain/install.ts";
import { runPulumi } from "../toolchain/pulumi.ts";
import { connectLab, type Lab, LabError, startLab } from "./lab.ts";
import { prepareStack, stackEnvironment, stackName } from "./stack.ts";

const say = (line = "") => process.stdout.write(`${line}\n`);
const started = Date.now();
const seconds = (since: number) => `${((Date.now() - since) / 1000).toFixed(1)} s`;

let interrupted = false;
process.on("SIGINT", () => {
  interrupted = true;
});

/** The engine, the lab, and `pulumi up`; gives the exit code. */
async function main(): Promise<number> {
  say("1/3 toolchain: Pulumi's engine and the proxmoxve plugin");
  const toolchain = await ensureToolchain();
  say(
    `    pulumi ${toolchain.version} (${toolchain.origin === "path" ? toolchain.pulumi : `${toolchain.origin}, in .toolchain`})`,
  );
  if (interrupted) return 130;

  say("2/3 lab: a Proxmox VE to try everything on, on loopback");
  const running = await connectLab();
  const lab = running ?? (await startLab({ ports: "fixed", detached: true, log: (line) => say(`    ${line}`) }));
  say(`    ${lab.endpoint} (process ${lab.pid}${running ? ", was running already" : ""})`);
  try {
    return await up(toolchain, lab);
  } finally {
    // What this run started does not outlive a run that was broken off; its state stays for the next one.
    if (interrupted && !running) {
      await lab.stop();
      say("Interrupted: the lab is stopped, what was done so far is kept. `npm start` goes on.");
    }
  }
}

async function up(toolchain: Awaited<ReturnType<typeof ensureToolchain>>, lab: Lab): Promise<number> {
  if (interrupted) return 130;
  say(`3/3 pulumi up of the stack "${stackName}" (Pulumi.${stackName}.yaml)`);
  const env = stackEnvironment(lab);
  await prepareStack(toolchain, lab, env);
  const { code } = await runPulumi(toolchain, ["up", "--yes", "--stack", stackName, "--suppress-outputs"], { env });
  if (interrupted) return 130;
  if (code !== 0) {
    say(
      "pulumi up failed: the reasons are above. Mend the cause and run `npm start` again: it goes on where it stopped.",
    );
    return code;
  }
  say();
  say(`Done in ${seconds(started)}. The lab goes on running in the background (process ${lab.pid}):`);
  say("  npm start                      again: nothing to do, in seconds");
  say("  npm run lab:pulumi -- preview  any pulumi command for this stack");
  say("  npm run lab:down               stops the lab; lab:reset throws it away");
  return 0;
}

try {
  process.exitCode = await main();
} catch (error) {
  if (interrupted) process.exitCode = 130;
  else {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
    if (!(error instanceof LabError) && process.env.DEBUG) console.error(error);
    process.exitCode = 1;
  }
}

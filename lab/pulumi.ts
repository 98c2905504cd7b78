// `npm run lab:pulumi -- preview`: any pulumi command for the stack that runs against the lab.

import { ensureToolchain } from "../toolchain/install.ts";
import { runPulumi } from "../toolchain/pulumi.ts";
import { connectLab } from "./lab.ts";
import { prepareStack, stackEnvironment } from "./stack.ts";

const lab = await connectLab();
if (lab === undefined) {
  process.stderr.write("The lab is not running. Start it: npm run lab:up\n");
  process.exitCode = 1;
} else {
  const toolchain = await ensureToolchain();
  const env = stackEnvironment(lab);
  await prepareStack(toolchain, lab, env);
  process.exitCode = (await runPulumi(toolchain, process.argv.slice(2), { env })).code;
}

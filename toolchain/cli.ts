// `node toolchain/bootstrap.mjs toolchain/cli.ts`: gets the toolchain and says where it is.

import { ensureToolchain } from "./install.ts";

const toolchain = await ensureToolchain();
process.stdout.write(`${JSON.stringify(toolchain, null, 2)}\n`);

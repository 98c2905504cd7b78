// `node toolchain/bootstrap.mjs toolchain/cli.ts`: gets the toolchain and says where it is.

import { ensureToolchain } from "./install.ts";

try {
  process.stdout.write(`${JSON.stringify(await ensureToolchain(), null, 2)}\n`);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
  process.exitCode = 1;
}

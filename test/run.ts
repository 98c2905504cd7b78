// `npm test`: everything that must hold, from the type check to whole runs with the real engine.

import { spawn } from "node:child_process";
import { ensureToolchain } from "../toolchain/install.ts";
import { ensureCloudInit } from "./cloudInit.ts";

const say = (line: string) => process.stderr.write(`${line}\n`);

await ensureToolchain();
await ensureCloudInit(say);
say("npm test: type check, lint, unit tests, and whole runs against the lab");
const vitest = spawn("vitest", ["run", ...process.argv.slice(2)], { stdio: "inherit" });
// Ctrl-C reaches vitest by itself; this process waits for it.
process.on("SIGINT", () => undefined).on("SIGTERM", () => vitest.kill("SIGTERM"));
vitest.on("close", (code) => {
  process.exitCode = code ?? 1;
});

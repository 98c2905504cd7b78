// Runs a TypeScript file of this project on Node 24, whatever Node (20 or newer) npm was started with.
//
//     node toolchain/bootstrap.mjs lab/start.ts [args...]
//
// Plain JavaScript without dependencies: it is what installs them.

import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { constants } from "node:os";
import { delimiter, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const oldestNode = 20;
/** From this version on Node runs TypeScript itself. */
const typeScriptNode = 24;
const stamp = join(root, "node_modules", ".installed-from");
const heartbeatMs = 5_000;

async function main([script, ...args]) {
  if (majorOf(process.versions.node) < oldestNode) {
    throw new Error(
      `Node ${process.versions.node} is too old: this project needs Node ${oldestNode} or newer (see https://nodejs.org).`,
    );
  }
  if (script === undefined) throw new Error("usage: node toolchain/bootstrap.mjs SCRIPT.ts [args...]");
  if (!isInstalled()) {
    const { withLock } = await import("./lock.mjs");
    let told = 0;
    await withLock(join(root, ".toolchain", "npm.lock"), () => (isInstalled() ? undefined : install()), {
      onWait: (pid) => console.error(`npm ci is being run by process ${pid}: waiting for it`),
      onTick: (waitedMs) => {
        if (waitedMs - told < heartbeatMs) return;
        told = waitedMs;
        console.error(`npm ci: waiting, ${Math.round(waitedMs / 1000)}s`);
      },
    });
  }
  await run(script, args);
}

const majorOf = (version) => Number.parseInt(version, 10);

const wantedStamp = () =>
  createHash("sha256")
    .update(readFileSync(join(root, "package-lock.json")))
    .digest("hex");

function isInstalled() {
  try {
    return readFileSync(stamp, "utf8") === wantedStamp();
  } catch {
    return false;
  }
}

/** npm removes node_modules, and the stamp with it, before it begins: an interrupted run never counts. */
async function install() {
  const wanted = wantedStamp();
  const started = Date.now();
  const seconds = () => Math.round((Date.now() - started) / 1000);
  console.error("npm ci: installing the packages of package-lock.json");
  const heartbeat = setInterval(() => console.error(`npm ci: ${seconds()}s`), heartbeatMs);
  try {
    await npmCi();
  } finally {
    clearInterval(heartbeat);
  }
  mkdirSync(dirname(stamp), { recursive: true });
  writeFileSync(stamp, wanted);
  console.error(`npm ci: done in ${seconds()}s`);
}

function npmCi() {
  // Under `npm run` the path of the very npm in use is known; anywhere else it is the one on PATH.
  const [command, ...prefix] = process.env.npm_execpath?.endsWith(".js")
    ? [process.execPath, process.env.npm_execpath]
    : ["npm"];
  return new Promise((done, failed) => {
    let output = "";
    const npm = spawn(command, [...prefix, "ci"], { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
    const forward = (signal) => npm.kill(signal);
    process.on("SIGINT", ignore).on("SIGTERM", forward);
    for (const stream of [npm.stdout, npm.stderr]) {
      stream.on("data", (chunk) => {
        output += chunk;
      });
    }
    npm.on("error", (error) => failed(new Error(`npm could not be started: ${error.message}`)));
    npm.on("close", (code, signal) => {
      process.off("SIGINT", ignore).off("SIGTERM", forward);
      if (code === 0) done();
      else failed(new Error(`${output}\nnpm ci failed (${signal ?? `exit code ${code}`}); its output is above.`));
    });
  });
}

/** In a terminal Ctrl-C reaches the child as well: it decides what to do, and this process waits for it. */
function ignore() {}

function run(script, args) {
  const bin = join(root, "node_modules", ".bin");
  const env = { ...process.env, PATH: [bin, process.env.PATH].filter(Boolean).join(delimiter) };
  return new Promise((done, failed) => {
    const child = spawn(nodeIn(bin), [resolve(root, script), ...args], { stdio: "inherit", env });
    const forward = (signal) => child.kill(signal);
    process.on("SIGINT", ignore).on("SIGTERM", forward).on("SIGHUP", forward);
    child.on("error", failed);
    child.on("close", (code, signal) => {
      process.exitCode = signal ? 128 + constants.signals[signal] : code;
      process.off("SIGINT", ignore).off("SIGTERM", forward).off("SIGHUP", forward);
      done();
    });
  });
}

function nodeIn(bin) {
  const installed = join(bin, "node");
  if (existsSync(installed)) return installed;
  // The package `node` fetches its binary in an install script, which a cautious npm setup forbids.
  if (majorOf(process.versions.node) >= typeScriptNode) return process.execPath;
  throw new Error(
    `node_modules/.bin/node is missing: npm did not run the install script of the package "node".\n` +
      `Allow it (npm config set ignore-scripts false) and remove node_modules, or use Node ${typeScriptNode} or newer.`,
  );
}

main(process.argv.slice(2)).catch((error) => {
  console.error(error.message);
  process.exitCode = 1;
});

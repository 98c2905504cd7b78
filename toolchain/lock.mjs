// A lock file that dies with its owner. Plain JavaScript because it is needed before Node 24 is there.

import { linkSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

/** A take-over is a matter of microseconds: whoever has been at it for this long is dead. */
const staleTakeoverMs = 10_000;

/** @type {import("./lock.d.mts").withLock} */
export async function withLock(path, work, { onWait, onTick, pollMs = 200 } = {}) {
  mkdirSync(dirname(path), { recursive: true });
  const started = Date.now();
  let told = false;
  while (!tryAcquire(path)) {
    const owner = ownerOf(path);
    if (owner !== undefined && !isAlive(owner)) {
      takeOver(path, owner);
      continue;
    }
    if (!told) {
      told = true;
      onWait?.(pidOf(owner));
    }
    onTick?.(Date.now() - started);
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
  const release = () => {
    if (ownerOf(path) === identityOf(process.pid)) rmSync(path, { force: true });
  };
  process.on("exit", release);
  try {
    return await work();
  } finally {
    release();
    process.off("exit", release);
  }
}

/** Takes the lock in one step: a link either is made, with the owner written in it, or exists already. */
function tryAcquire(path) {
  const draft = `${path}.${process.pid}`;
  writeFileSync(draft, identityOf(process.pid));
  try {
    linkSync(draft, path);
    return true;
  } catch (error) {
    if (error.code === "EEXIST") return false;
    throw error;
  } finally {
    rmSync(draft, { force: true });
  }
}

/** Two waiters may find the same dead owner: only the one that gets the guard may remove the lock. */
function takeOver(path, deadOwner) {
  const guard = `${path}.takeover`;
  try {
    writeFileSync(guard, "", { flag: "wx" });
  } catch {
    if (ageMs(guard) > staleTakeoverMs) rmSync(guard, { force: true });
    return;
  }
  try {
    if (ownerOf(path) === deadOwner) rmSync(path, { force: true });
  } finally {
    rmSync(guard, { force: true });
  }
}

function ownerOf(path) {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

const pidOf = (owner) => Number.parseInt(owner ?? "", 10);

function isAlive(owner) {
  const pid = pidOf(owner);
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (error.code !== "EPERM") return false;
  }
  return identityOf(pid) === owner;
}

/** The pid alone may belong to another process by now; on Linux the start time tells them apart. */
function identityOf(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const afterName = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return `${pid} ${afterName[19]}`;
  } catch {
    return `${pid}`;
  }
}

function ageMs(path) {
  try {
    return Date.now() - statSync(path).mtimeMs;
  } catch {
    return 0;
  }
}

import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** Names a build by all it depends on: its sources, and whatever else is given (versions, flags, platform). */
export function buildKey(sources: string, ...more: string[]): string {
  const hash = createHash("sha256");
  for (const part of [process.platform, process.arch, ...more]) hash.update(`${part}\0`);
  for (const name of readdirSync(sources).sort()) {
    hash
      .update(`${name}\0`)
      .update(readFileSync(join(sources, name)))
      .update("\0");
  }
  return hash.digest("hex").slice(0, 12);
}

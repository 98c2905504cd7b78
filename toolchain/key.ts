import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";

/** Names a build by all it depends on: its sources, and whatever else is given (versions, flags, platform). */
export function buildKey(sources: string, ...more: string[]): string {
  const hash = createHash("sha256");
  for (const part of [process.platform, process.arch, ...more]) hash.update(`${part}\0`);
  const files = readdirSync(sources, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  for (const path of files.map(({ parentPath, name }) => join(parentPath, name)).sort()) {
    hash
      .update(`${relative(sources, path)}\0`)
      .update(readFileSync(path))
      .update("\0");
  }
  return hash.digest("hex").slice(0, 12);
}

import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

export interface NewFile {
  path: string;
  text: string;
  /** @default 0o644 */
  mode?: number;
}

/**
 * Writes files whole or not at all: each beside its place first, then all are moved there, in this order. What is moved is one
 * step for the file system each; the last one is what the others are for.
 */
export function writeFiles(files: readonly NewFile[]): void {
  const unfinished = files.map((file) => ({ ...file, beside: `${file.path}.${process.pid}.unfinished` }));
  try {
    for (const { path, text, mode, beside } of unfinished) {
      mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
      writeFileSync(beside, text, { mode: mode ?? 0o644, flag: "wx" });
    }
    for (const { path, beside } of unfinished) renameSync(beside, path);
  } finally {
    for (const { beside } of unfinished) rmSync(beside, { force: true });
  }
}

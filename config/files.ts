import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { resolve } from "node:path";

/** The absolute path of a file named in the config: `~` is the home folder, a relative path starts at the project's folder. */
export function localPath(file: string): string {
  return resolve(file === "~" || file.startsWith("~/") ? `${homedir()}${file.slice(1)}` : file);
}

const REASONS: Record<string, string> = {
  ENOENT: "there is no such file",
  EACCES: "it may not be read by this user",
  EISDIR: "it is a folder",
  ENOTDIR: "there is no such file",
};

/** The text of a file named in the config, or why it cannot be read. */
export function readLocalFile(file: string): { text: string } | { reason: string } {
  // A key in the place of its file's name must not come back in the reason.
  if (file.includes("\n")) return { reason: "this is no path: it has more than one line" };
  const path = localPath(file);
  try {
    return { text: readFileSync(path, "utf8") };
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "";
    return { reason: `cannot read ${path}: ${REASONS[code] ?? code}` };
  }
}

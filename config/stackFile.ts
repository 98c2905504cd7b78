import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";

function readYaml(file: string): Record<string, unknown> {
  try {
    return (parse(readFileSync(file, "utf8"), { merge: true }) ?? {}) as Record<string, unknown>;
  } catch {
    return {};
  }
}

/**
 * The config of a stack as its file has it, by keys without the project's name: encrypted values are `{secure: …}`. Empty
 * if the file is not where Pulumi looks for it, or cannot be read: config may also come from elsewhere.
 *
 * @param root folder of Pulumi.yaml
 */
export function readStackFile(root: string, project: string, stack: string): Record<string, unknown> {
  const { stackConfigDir } = readYaml(join(root, "Pulumi.yaml"));
  const folder = typeof stackConfigDir === "string" ? join(root, stackConfigDir) : root;
  const { config } = readYaml(join(folder, `Pulumi.${stack}.yaml`));
  return Object.fromEntries(
    Object.entries(config ?? {}).flatMap(([key, value]) => {
      // `project:key`; older files have `project:config:key`.
      const parts = key.split(":");
      return parts.length === 1 || parts[0] === project ? [[parts.at(-1) ?? "", value]] : [];
    }),
  );
}

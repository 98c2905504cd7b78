import { relative } from "node:path";
import type { Backend } from "./backend.ts";

const quoted = (text: string) => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

/** What to run now: by this project's front, and by plain Pulumi with what it needs in its environment. */
export function nextSteps(stack: string, { env }: Pick<Backend, "env">, root: string): string[] {
  const exports = Object.entries(env).map(([name, value]) => {
    const inside = relative(root, value);
    const isHere = value.startsWith("/") && !inside.startsWith("..");
    return `export ${name}=${isHere ? `"$PWD/${inside}"` : quoted(value)}`;
  });
  return [
    `  npm run fleet -- up --stack ${stack}`,
    "",
    "or with Pulumi and Node 22.19 or 24 of your own, in this folder:",
    "",
    ...exports.map((line) => `  ${line}`),
    `  pulumi up --stack ${stack}`,
  ];
}

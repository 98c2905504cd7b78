import type { CloneInfo } from "../providers/clone/cloneInfo.ts";

/** Named before the rest is counted. */
const NAMED = 20;

/** What a run ends with whose clone sets say `onError: fail`; undefined if every clone is there. */
export function failedClones(clones: readonly CloneInfo[]): string | undefined {
  const failed = clones.filter(({ status, oldKeys }) => status === "failed" || oldKeys !== undefined);
  if (failed.length === 0) return undefined;
  const names = failed.slice(0, NAMED).map(({ name, vmId }) => `${name} (VM ${vmId})`);
  const rest = failed.length > NAMED ? ` and ${failed.length - NAMED} more` : "";
  return `${failed.length} of ${clones.length} clones failed: ${names.join(", ")}${rest}. The others are done; \`pulumi up\` tries just these again.`;
}

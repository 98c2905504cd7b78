import type { CloneInfo } from "./cloneSet.ts";

export interface TemplateInfo {
  key: string;
  name: string;
  vmId: number;
  node: string;
  isTemplate: boolean;
  image: string;
}

const rows = (lines: readonly (readonly string[])[]): string[] => {
  const widths = (lines[0] ?? []).map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  return lines.map((line) => `  ${line.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ")}`.trimEnd());
};

const count = (number: number, word: string) => `${number} ${word}${number === 1 ? "" : "s"}`;

/** What exists now and what to do next, in a few lines. */
export function summary(
  templates: readonly TemplateInfo[],
  cloneSets: Record<string, readonly CloneInfo[]>,
  user: string,
): string {
  const clones = Object.values(cloneSets).flat();
  const lines = [
    `${count(templates.length, "template")}, ${count(clones.length, "clone")} (${clones.filter(({ running }) => running).length} running)`,
  ];
  if (templates.length > 0) {
    lines.push(
      "",
      "Templates",
      ...rows(
        templates.map(({ vmId, name, node, isTemplate, image }) => [
          String(vmId),
          name,
          node,
          isTemplate ? "template" : "VM",
          image,
        ]),
      ),
    );
  }
  for (const [key, set] of Object.entries(cloneSets)) {
    lines.push(
      "",
      `Clones of ${key}`,
      ...rows(
        set.map(({ vmId, name, node, address, running }) => [
          String(vmId),
          name,
          node,
          address,
          running ? "running" : "stopped",
        ]),
      ),
    );
  }
  const reachable = clones.find(({ address, running }) => running && address !== "dhcp");
  lines.push(
    "",
    "Next",
    ...(reachable ? [`  ssh ${user ? `${user}@` : ""}${reachable.address}`] : []),
    "  pulumi up         again changes nothing; after a change in the config it does just that change",
    "  pulumi refresh    looks for what was changed behind Pulumi's back",
    "  pulumi destroy    removes all of this, and nothing else",
  );
  return lines.join("\n");
}

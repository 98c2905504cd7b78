import type { CloneInfo } from "./cloneSet.ts";
import type { ImageInfo } from "./vmTemplate.ts";

export interface TemplateInfo {
  name: string;
  vmId: number;
  nodeName: string;
  isTemplate: boolean;
  image: ImageInfo;
}

/** More clones than this of one set are counted, not listed. */
const LISTED = 20;

/** Cells in columns, two blanks apart. */
function table(lines: readonly (readonly string[])[]): string[] {
  const widths = (lines[0] ?? []).map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  return lines.map((line) => `  ${line.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ")}`.trimEnd());
}

const count = (number: number, word: string) => `${number} ${word}${number === 1 ? "" : "s"}`;

function templateRow({ vmId, name, nodeName, isTemplate, image }: TemplateInfo): string[] {
  const verified = image.checksum === "none" ? "no checksum" : `${image.checksum.split(":")[0]} verified`;
  return [String(vmId), name, nodeName, isTemplate ? "template" : "VM", `${image.file} (${image.origin}, ${verified})`];
}

const cloneRow = ({ vmId, name, node, address, running }: CloneInfo): string[] => [
  String(vmId),
  name,
  node,
  address,
  running ? "running" : "stopped",
];

/** The first clones of a set; of a large one those that are stopped come first, as they are what is looked for. */
function cloneLines(clones: readonly CloneInfo[]): string[] {
  if (clones.length <= LISTED) return table(clones.map(cloneRow));
  const listed = clones.toSorted((one, other) => Number(one.running) - Number(other.running)).slice(0, LISTED);
  const rest = clones.filter((clone) => !listed.includes(clone));
  const stopped = rest.filter(({ running }) => !running).length;
  const state = stopped === 0 ? "all running" : `${stopped} of them stopped`;
  return [
    ...table(clones.filter((clone) => listed.includes(clone)).map(cloneRow)),
    `  … and ${rest.length} more, ${state}: pulumi stack output clones`,
  ];
}

/** What exists now and what to do next, in a few lines. */
export function summary(
  templates: readonly TemplateInfo[],
  cloneSets: Readonly<Record<string, readonly CloneInfo[]>>,
  user: string,
): string {
  const clones = Object.values(cloneSets).flat();
  if (templates.length + clones.length === 0) {
    return "no templates and no clones yet\n\nNext\n  say in Pulumi.<stack>.yaml which templates you want, and run pulumi up";
  }
  const running = clones.filter((clone) => clone.running);
  const reachable = running.find(({ address }) => address !== "dhcp");
  const existing = [count(templates.length, "template"), count(clones.length, "clone")];
  const parts = [
    [[...existing, ...(clones.length > 0 ? [`${running.length || "none"} of them running`] : [])].join(", ")],
    templates.length > 0 ? ["Templates", ...table(templates.map(templateRow))] : [],
    ...Object.entries(cloneSets).map(([key, set]) => (set.length > 0 ? [`Clones of ${key}`, ...cloneLines(set)] : [])),
    [
      "Next",
      ...(reachable ? [`  ssh ${user ? `${user}@` : ""}${reachable.address}`] : []),
      "  pulumi stack output clones   names, VMIDs and addresses, for other tools with --json",
      "  pulumi up                    again changes nothing; after a change in the config, just that change",
      "  pulumi refresh               shows what was changed behind Pulumi's back",
      "  pulumi destroy               removes all of this, and nothing else",
    ],
  ];
  return parts
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join("\n"))
    .join("\n\n");
}

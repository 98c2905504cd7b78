import type { CloneInfo } from "../providers/clone/cloneInfo.ts";
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

/** More clones than this with one kind of trouble are counted, not listed. */
const TROUBLES = 8;

/** Lines of an error that say what was tried and what PVE answered; the rest is in the output `clones`. */
const CAUSE_LINES = 2;

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

/** How clones are, the best first; one that runs is not ready if there is a reason why. */
const STATES = ["ready", "running", "stopped", "not ready", "failed"] as const;

const stateOf = ({ status, error }: CloneInfo): (typeof STATES)[number] =>
  status === "running" && error !== undefined ? "not ready" : status;

/** How many clones there are of each state: `9 ready, 1 failed`. */
const tally = (clones: readonly CloneInfo[]): string =>
  STATES.map((state) => [clones.filter((clone) => stateOf(clone) === state).length, state] as const)
    .filter(([number]) => number > 0)
    .map((parts) => parts.join(" "))
    .join(", ");

const place = ({ vmId, name, node }: CloneInfo): string[] => [String(vmId), name, node];

const cloneRow = (clone: CloneInfo): string[] => [...place(clone), clone.address ?? "address unknown", stateOf(clone)];

/** Of a large set those come first that are looked for here: what failed or is not ready is told above. */
const LISTING: readonly CloneInfo["status"][] = ["stopped", "running", "ready", "failed"];
const rank = ({ status, error }: CloneInfo) => (error === undefined ? LISTING.indexOf(status) : LISTING.length);

/** The clones of a set, in their order; of a large set not all of them. */
function cloneLines(clones: readonly CloneInfo[]): string[] {
  if (clones.length <= LISTED) return table(clones.map(cloneRow));
  const sorted = clones.toSorted((one, other) => rank(one) - rank(other));
  const listed = new Set(sorted.slice(0, LISTED));
  return [
    ...table(clones.filter((clone) => listed.has(clone)).map(cloneRow)),
    `  … and ${clones.length - LISTED} more (${tally(sorted.slice(LISTED))}): pulumi stack output clones`,
  ];
}

/** Clones with one kind of trouble: what it is of each, and what to do. */
function trouble(title: string, clones: readonly CloneInfo[], what: (clone: CloneInfo) => string, next: string) {
  if (clones.length === 0) return [];
  const listed = clones.slice(0, TROUBLES);
  // The mark at the end keeps the blanks of the column.
  const places = table(listed.map((clone) => [...place(clone), "|"])).map((line) => line.slice(0, -1));
  const lines = listed.flatMap((clone, index) => {
    const [first, ...further] = what(clone).split("\n");
    const at = places[index] ?? "";
    return [`${at}${first}`, ...further.map((line) => " ".repeat(at.length) + line.trim())];
  });
  const rest = clones.length - listed.length;
  return [title, ...lines, ...(rest > 0 ? [`  … and ${rest} more: pulumi stack output clones`] : []), `  ${next}`];
}

const cause = ({ error = "no cause is known" }: CloneInfo) => error.split("\n").slice(0, CAUSE_LINES).join("\n");

function troubles(clones: readonly CloneInfo[]): string[][] {
  const failed = clones.filter(({ status }) => status === "failed");
  const unready = clones.filter((clone) => stateOf(clone) === "not ready");
  const pending = clones.filter(({ pendingReboot = [] }) => pendingReboot.length > 0);
  return [
    trouble("Failed", failed, cause, "pulumi up tries just these again"),
    trouble(
      "Running, but not ready",
      unready,
      cause,
      "they run on and may get ready yet; what their cloud-init does is on their console",
    ),
    trouble(
      "Waiting for a reboot",
      pending,
      ({ pendingReboot = [] }) => pendingReboot.join(", "),
      "set rebootOnChange: true for their set, or run qm reboot <VMID> on the node (a reboot from inside does not do)",
    ),
  ];
}

/** The clone to log in to first, with the key of its set: one that is ready, or at least runs. */
function reachable(cloneSets: Readonly<Record<string, readonly CloneInfo[]>>) {
  const all = Object.entries(cloneSets).flatMap(([key, set]) => set.map((clone) => ({ key, clone })));
  return (["ready", "running"] as const)
    .map((status) => all.find(({ clone }) => clone.status === status && clone.address))
    .find((found) => found !== undefined);
}

/**
 * What exists now, what is wrong with it, and what to do next, in a few lines.
 *
 * @param userOf who logs in to the clones of a set
 * @param leftOut what the run was not about
 */
export function summary(
  templates: readonly TemplateInfo[],
  cloneSets: Readonly<Record<string, readonly CloneInfo[]>>,
  userOf: (set: string) => string | undefined,
  leftOut: readonly string[] = [],
): string {
  const clones = Object.values(cloneSets).flat();
  if (templates.length + clones.length + leftOut.length === 0) {
    return "no templates and no clones yet\n\nNext\n  say in Pulumi.<stack>.yaml which templates you want, and run pulumi up";
  }
  const first = reachable(cloneSets);
  const user = first && userOf(first.key);
  const existing = [count(templates.length, "template"), count(clones.length, "clone")].join(", ");
  const parts = [
    [clones.length > 0 ? `${existing}: ${tally(clones)}` : existing],
    leftOut.length > 0 ? ["Not part of this run", ...leftOut.map((line) => `  ${line}`)] : [],
    ...troubles(clones),
    templates.length > 0 ? ["Templates", ...table(templates.map(templateRow))] : [],
    ...Object.entries(cloneSets).map(([key, set]) => (set.length > 0 ? [`Clones of ${key}`, ...cloneLines(set)] : [])),
    [
      "Next",
      ...(first ? [`  ssh ${user ? `${user}@` : ""}${first.clone.address}`] : []),
      ...(clones.length > 0
        ? [
            "  pulumi stack output ansibleInventory > inventory.yaml   for ansible -i inventory.yaml",
            "  pulumi stack output sshConfig > ssh_config              for ssh -F ssh_config <name>",
          ]
        : []),
      "  pulumi up        again changes nothing; after a change in the config, just that change",
      "  pulumi refresh   shows what was changed behind Pulumi's back",
      "  pulumi destroy   removes all of this, and nothing else",
    ],
  ];
  return parts
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join("\n"))
    .join("\n\n");
}

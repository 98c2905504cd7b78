import { consoleLink } from "../fleet/consoleLink.ts";
import { shortNames } from "../fleet/shortNames.ts";
import { alike } from "../providers/clone/cause.ts";
import type { CloneInfo } from "../providers/clone/cloneInfo.ts";
import type { ImageInfo } from "./vmTemplate.ts";

export interface TemplateInfo {
  name: string;
  vmId: number;
  nodeName: string;
  isTemplate: boolean;
  /** Missing: it was made elsewhere. */
  image?: ImageInfo;
}

/** More clones than this of one set are counted, not listed. */
const LISTED = 20;

/** With more clones than this in all, links would be most of what is said: their pattern is told instead. */
const LINKED = 10;

/** More different causes than this of one kind of trouble are counted, not listed. */
const TROUBLES = 8;

/** Lines of an error that say what was tried and what PVE answered; the rest is in the output `clones`. */
const CAUSE_LINES = 2;

/** Cells in columns, two blanks apart. */
function table(lines: readonly (readonly string[])[]): string[] {
  const widths = (lines[0] ?? []).map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  return lines.map((line) => `  ${line.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ")}`.trimEnd());
}

const count = (number: number, word: string) => `${number} ${word}${number === 1 ? "" : "s"}`;

const templateRow = ({ vmId, name, nodeName, isTemplate }: TemplateInfo): string[] => [
  String(vmId),
  name,
  nodeName,
  isTemplate ? "template" : "VM",
];

function imageText({ image }: TemplateInfo): string {
  if (!image) return "made elsewhere";
  const verified = image.checksum === "none" ? "no checksum" : `${image.checksum.split(":")[0]} verified`;
  return `${image.file} (${image.origin}, ${verified})`;
}

/** The templates; with links, each has its image on a line of its own. */
function templateLines(templates: readonly TemplateInfo[], linkOf: LinkOf | undefined): string[] {
  if (!linkOf) return table(templates.map((template) => [...templateRow(template), imageText(template)]));
  const rows = table(templates.map((template) => [...templateRow(template), linkOf(template.vmId)]));
  return templates.flatMap((template, index) => [
    rows[index] ?? "",
    `        ${template.image ? "image " : ""}${imageText(template)}`,
  ]);
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

type LinkOf = (vmId: number) => string;

const cloneRow = (clone: CloneInfo): string[] => [
  String(clone.vmId),
  clone.name,
  clone.node,
  clone.address ?? "address unknown",
  stateOf(clone),
];

/** Of a large set those come first that are looked for here: what failed or is not ready is told above. */
const LISTING: readonly CloneInfo["status"][] = ["stopped", "running", "ready", "failed"];
const rank = ({ status, error }: CloneInfo) => (error === undefined ? LISTING.indexOf(status) : LISTING.length);

/** The clones of a set, in their order; of a large set not all of them. */
function cloneLines(clones: readonly CloneInfo[], linkOf: LinkOf | undefined): string[] {
  if (linkOf) return table(clones.map((clone) => [...cloneRow(clone), linkOf(clone.vmId)]));
  if (clones.length <= LISTED) return table(clones.map(cloneRow));
  const sorted = clones.toSorted((one, other) => rank(one) - rank(other));
  const listed = new Set(sorted.slice(0, LISTED));
  return [
    ...table(clones.filter((clone) => listed.has(clone)).map(cloneRow)),
    `  … and ${clones.length - LISTED} more (${tally(sorted.slice(LISTED))}): pulumi stack output clones`,
  ];
}

/** Clones with one kind of trouble: which of them have the same, what it is, and what to do. */
function trouble(title: string, clones: readonly CloneInfo[], what: (clone: CloneInfo) => string, next: string) {
  if (clones.length === 0) return [];
  const groups = [...Map.groupBy(clones, (clone) => alike(what(clone), clone)).values()];
  const lines = groups.slice(0, TROUBLES).flatMap((group) => {
    const [first] = group as [CloneInfo, ...CloneInfo[]];
    const text = group.length === 1 ? what(first) : alike(what(first), first);
    const counted = group.length > 2 ? ` (${group.length})` : "";
    const names = group.map(({ name, vmId }) => (group.length === 1 ? `${name} (VM ${vmId})` : name));
    return [`  ${shortNames(names)}${counted}`, ...text.split("\n").map((line) => `    ${line.trim()}`)];
  });
  const rest = groups.slice(TROUBLES).flat().length;
  return [title, ...lines, ...(rest > 0 ? [`  … and ${rest} more: pulumi stack output clones`] : []), `  ${next}`];
}

const cause = ({ error = "no cause is known" }: CloneInfo) => error.split("\n").slice(0, CAUSE_LINES).join("\n");

function troubles(clones: readonly CloneInfo[]): string[][] {
  const failed = clones.filter(({ status }) => status === "failed");
  const unready = clones.filter((clone) => stateOf(clone) === "not ready");
  const unkeyed = clones.filter(({ oldKeys }) => oldKeys !== undefined);
  const pending = clones.filter(({ pendingReboot = [] }) => pendingReboot.length > 0);
  return [
    trouble(
      "Waiting for a reboot",
      pending,
      ({ pendingReboot = [] }) => pendingReboot.join(", "),
      "set rebootOnChange: true for their set, or run qm reboot <VMID> on the node (a reboot from inside the guest is not enough)",
    ),
    trouble(
      "Running, but not ready",
      unready,
      cause,
      "they keep running and may still become ready; their consoles show what cloud-init is doing",
    ),
    trouble(
      "Running, perhaps with old SSH keys",
      unkeyed,
      ({ oldKeys = "" }) => oldKeys,
      "pulumi up tries these again; until then, whoever has an old key can still log in",
    ),
    trouble("Failed", failed, cause, "pulumi up tries only these again"),
  ];
}

/** DHCP gave it, and nobody who would know has been asked. */
const ADDRESS_UNKNOWN =
  "DHCP addresses are shown here if the set has waitFor: agent; otherwise look at the console or your DHCP server";

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
 * @param userOf who logs in to a clone of a set
 * @param endpoint of the cluster, whose web interface shows the VMs
 * @param leftOut what the run was not about
 */
export function summary(
  templates: readonly TemplateInfo[],
  cloneSets: Readonly<Record<string, readonly CloneInfo[]>>,
  userOf: (set: string, vmId: number) => string | undefined,
  endpoint: string,
  leftOut: readonly string[] = [],
): string {
  const clones = Object.values(cloneSets).flat();
  if (templates.length + clones.length + leftOut.length === 0) {
    return "no templates and no clones yet\n\nNext\n  say in Pulumi.<stack>.yaml which templates you want, and run pulumi up";
  }
  const first = reachable(cloneSets);
  const user = first && userOf(first.key, first.clone.vmId);
  const existing = [count(templates.length, "template"), count(clones.length, "clone")].join(", ");
  const linkOf = clones.length <= LINKED ? (vmId: number) => consoleLink(endpoint, vmId) : undefined;
  const unknown = clones.some(({ status, address }) => (status === "ready" || status === "running") && !address);
  const parts = [
    [clones.length > 0 ? `${existing}: ${tally(clones)}` : existing],
    leftOut.length > 0 ? ["Not part of this run", ...leftOut.map((line) => `  ${line}`)] : [],
    templates.length > 0 ? ["Templates", ...templateLines(templates, linkOf)] : [],
    ...Object.entries(cloneSets).map(([key, set]) =>
      set.length > 0 ? [`Clones of ${key}`, ...cloneLines(set, linkOf)] : [],
    ),
    [
      "Next",
      ...(first ? [`  ssh ${user ? `${user}@` : ""}${first.clone.address}`] : []),
      ...(linkOf ? [] : [`  ${consoleLink(endpoint, "<VMID>")}   shows a VM and its console`]),
      ...(unknown ? [`  ${ADDRESS_UNKNOWN}`] : []),
      ...(clones.length > 0
        ? [
            "  pulumi stack output ansibleInventory > inventory.yaml   for ansible -i inventory.yaml",
            "  pulumi stack output sshConfig > ssh_config              for ssh -F ssh_config <name>",
          ]
        : []),
      "  pulumi up        applies changes of the config; without any, it changes nothing",
      "  pulumi refresh   reads into the state what was changed outside Pulumi",
      "  pulumi destroy   removes all of this, and nothing else",
    ],
    // What went wrong stands at the end, where it is read.
    ...troubles(clones),
  ];
  return parts
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join("\n"))
    .join("\n\n");
}

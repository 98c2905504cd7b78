import { type Mark, notes, parseMark, withMark } from "../../fleet/ownership.ts";
import { type FoundContainer, type FoundVm, nameOf } from "../guest/lookUp.ts";
import type { CloneInputs } from "./inputs.ts";
import type { Made } from "./state.ts";

/** What a VM of ours was made from, as its mark's `content` has it; undefined if its notes do not say. */
export function madeFrom(mark: Mark | undefined): Pick<Made, "template" | "full"> | undefined {
  const [, template, kind] = /^([^-]+)-(full|linked)$/.exec(mark?.content ?? "") ?? [];
  return template ? { template, full: kind === "full" } : undefined;
}

export function markOf(
  { fleetId, stack, set, vmId }: Pick<CloneInputs, "fleetId" | "stack" | "set" | "vmId">,
  { template, full }: Pick<Made, "template" | "full">,
): Mark {
  const content = `${template}-${full ? "full" : "linked"}`;
  return { fleetId, stack, resource: `cloneSets.${set}`, vmId, content };
}

/** The UUID of a VM (PVE: `smbios1: uuid=…`). */
export const uuidOf = (smbios: unknown): string | undefined => /(?:^|,)uuid=([^,]+)/.exec(String(smbios ?? ""))?.[1];

/**
 * Why a VM is not this clone; undefined: it is this clone. The set may be another one: a clone keeps its VM when it moves from
 * one set of the stack to another, or when its set gets another name.
 *
 * @param uuid the clone's, where the state knows it: a VM without a mark is known by it
 */
export function notThisClone(found: FoundVm | FoundContainer, uuid?: string): string | undefined {
  if (found.kind === "container") return nameOf(found);
  const { owner, mark, config } = found;
  if (owner === "ours") {
    return mark?.resource.startsWith("cloneSets.")
      ? undefined
      : `${nameOf(found)}, which is ${mark?.resource} of this stack`;
  }
  if (mark === undefined && uuid !== undefined && uuidOf(config.smbios1) === uuid) return undefined;
  if (owner === "other-stack") return `${nameOf(found)}, which belongs to stack ${mark?.stack}`;
  return `${nameOf(found)}, which this stack did not make`;
}

/**
 * The notes of a clone: its description above what people have written, the mark at the end.
 *
 * @param had the description that the notes hold, where it is known
 * @param current the notes as they are
 */
export function notesOf(
  wanted: string | undefined,
  mark: Mark,
  { had, current }: { had?: string | undefined; current?: string | undefined } = {},
): string {
  if (current === undefined) return notes(wanted ?? "", mark);
  return withMark(wanted === undefined || wanted === had ? current : replaced(current, had ?? "", wanted), mark);
}

/** Where whole lines stand in notes; -1: nowhere. Part of a line may be anybody's words, or the mark's. */
function indexOfLines(notes: string, lines: string): number {
  for (let at = notes.indexOf(lines); at >= 0; at = notes.indexOf(lines, at + 1)) {
    const [before = "\n", after = "\n"] = [notes[at - 1], notes[at + lines.length]];
    if (before === "\n" && /[\r\n]/.test(after)) return at;
  }
  return -1;
}

/** The notes with another description, and the rest as it is. */
function replaced(current: string, had: string, wanted: string): string {
  const old = had.trim();
  const at = old === "" ? -1 : indexOfLines(current, old);
  if (at >= 0) {
    const below = current.slice(at + old.length);
    const description = wanted.trim();
    return current.slice(0, at) + description + (description === "" ? below.trimStart() : below);
  }
  return hasDescription(current, wanted) ? current : `${wanted.trimEnd()}\n\n${current}`;
}

/** Whether a description stands in notes; nothing is in all of them. */
export const hasDescription = (notes: string | undefined, description: string): boolean =>
  description.trim() === "" || indexOfLines(notes ?? "", description.trim()) >= 0;

/** Whether notes have this clone's mark. */
export function hasMark(
  { fleetId, set, vmId }: Pick<CloneInputs, "fleetId" | "set" | "vmId">,
  notes: string | undefined,
): boolean {
  const mark = parseMark(notes, vmId);
  return mark?.fleetId === fleetId && mark.vmId === vmId && mark.resource === `cloneSets.${set}`;
}

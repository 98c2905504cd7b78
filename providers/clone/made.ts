import { type Mark, markText, notes, parseMark } from "../../fleet/ownership.ts";
import type { CloneInputs } from "./inputs.ts";

/** What a clone was made from, as its mark's `content` has it. */
export interface Made {
  template: string;
  full: boolean;
}

const contentOf = ({ template, full }: Pick<CloneInputs, "template" | "full">): string =>
  `${template}-${full ? "full" : "linked"}`;

/** What a VM of ours was made from; undefined if its notes do not say. */
export function madeFrom(description: string | undefined): Made | undefined {
  const [, template, kind] = /^([^-]+)-(full|linked)$/.exec(parseMark(description)?.content ?? "") ?? [];
  return template ? { template, full: kind === "full" } : undefined;
}

export function markOf(clone: Pick<CloneInputs, "fleetId" | "stack" | "set" | "vmId" | "template" | "full">): Mark {
  const { fleetId, stack, set, vmId } = clone;
  return { fleetId, stack, resource: `cloneSets.${set}`, vmId, content: contentOf(clone) };
}

/**
 * The notes of a clone: its description, if the config has one, above the mark; else what people have written there.
 *
 * @param current the notes that the VM has
 */
export function notesOf(inputs: CloneInputs, current: string | undefined): string {
  const mark = markOf(inputs);
  if (inputs.description !== undefined) return notes(inputs.description, mark);
  const old = parseMark(current);
  if (old === undefined) return notes(current ?? "", mark);
  return (current ?? "").replace(markText(old), () => markText(mark));
}

/**
 * The mark in a VM's notes (PVE: `description`) by which this program knows its own VMs again. PVE keeps the notes of a
 * template in its clones, so the mark names the VMID: a clone that somebody made by hand carries a mark that is not its own.
 */
export interface Mark {
  /** Random identity of the stack's state: two stacks of the same name on one cluster are not the same fleet. */
  fleetId: string;
  /** Stack, for people. */
  stack: string;
  /** Place in the config, for example `templates.noble`. */
  resource: string;
  vmId: number;
  /** Hash of what the VM was made from. */
  content: string;
}

/** A whole line; PVE and editors may leave blanks or a carriage return at its end. */
const MARK = /^proxmox-golden-fleet: fleet=(\S+) stack=(\S+) resource=(\S+) vmid=(\d+) content=(\S+)(?=[ \t\r]*$)/gm;

export function markText({ fleetId, stack, resource, vmId, content }: Mark): string {
  return `proxmox-golden-fleet: fleet=${fleetId} stack=${stack} resource=${resource} vmid=${vmId} content=${content}`;
}

interface FoundMark {
  mark: Mark;
  /** Where it begins and ends in the notes. */
  start: number;
  end: number;
}

const marksIn = (notes: string): FoundMark[] =>
  [...notes.matchAll(MARK)].map((match) => {
    const [text, fleetId = "", stack = "", resource = "", vmId, content = ""] = match;
    return {
      mark: { fleetId, stack, resource, vmId: Number(vmId), content },
      start: match.index,
      end: match.index + text.length,
    };
  });

/**
 * The mark of a VM. People quote marks of other VMs in the notes, above the VM's own and below it: so it is the last one
 * that names the VM's VMID. Where none does, it is the last one, which tells at least what the notes were copied from.
 *
 * @param vmId the VM's VMID; without it, the last mark
 */
export function parseMark(description: string | undefined, vmId?: number): Mark | undefined {
  const marks = marksIn(description ?? "").map(({ mark }) => mark);
  return marks.findLast((mark) => mark.vmId === vmId) ?? marks.at(-1);
}

/** The user's notes with the mark below them. */
export function notes(description: string, mark: Mark): string {
  if (description.trim() === "") return markText(mark);
  const lineEnd = description.includes("\r\n") ? "\r\n" : "\n";
  return `${description.trimEnd()}${lineEnd}${lineEnd}${markText(mark)}`;
}

/**
 * The notes that a VM has, with this mark in the place of its old one; everything else in them stays. The old mark is the
 * one with the mark's VMID, or one at the very end that came with the notes of the template. Without one, the mark goes
 * below the notes.
 */
export function withMark(current: string, mark: Mark): string {
  const marks = marksIn(current);
  const last = marks.at(-1);
  const inherited = last && current.slice(last.end).trim() === "" ? last : undefined;
  const old = marks.findLast((one) => one.mark.vmId === mark.vmId) ?? inherited;
  return old ? current.slice(0, old.start) + markText(mark) + current.slice(old.end) : notes(current, mark);
}

/** Whose a VM is, as its notes say: ours, another stack's, or nobody's that we know. */
export function ownerOf(
  description: string | undefined,
  vmId: number,
  fleetId: string,
): "ours" | "other-stack" | "foreign" {
  const mark = parseMark(description, vmId);
  if (mark === undefined || mark.vmId !== vmId) return "foreign";
  return mark.fleetId === fleetId ? "ours" : "other-stack";
}

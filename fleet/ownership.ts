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

const MARK = /^proxmox-golden-fleet: fleet=(\S+) stack=(\S+) resource=(\S+) vmid=(\d+) content=(\S+)\s*$/m;

export function markText({ fleetId, stack, resource, vmId, content }: Mark): string {
  return `proxmox-golden-fleet: fleet=${fleetId} stack=${stack} resource=${resource} vmid=${vmId} content=${content}`;
}

/** The user's notes with the mark below them. */
export function notes(description: string, mark: Mark): string {
  return description.trim() === "" ? markText(mark) : `${description.trimEnd()}\n\n${markText(mark)}`;
}

export function parseMark(description: string | undefined): Mark | undefined {
  const [, fleetId, stack, resource, vmId, content] = MARK.exec(description ?? "") ?? [];
  return fleetId && stack && resource && content
    ? { fleetId, stack, resource, vmId: Number(vmId), content }
    : undefined;
}

/** Whose a VM is, as its notes say: ours, another stack's, or nobody's that we know. */
export function ownerOf(
  description: string | undefined,
  vmId: number,
  fleetId: string,
): "ours" | "other-stack" | "foreign" {
  const mark = parseMark(description);
  if (mark === undefined || mark.vmId !== vmId) return "foreign";
  return mark.fleetId === fleetId ? "ours" : "other-stack";
}

/** Notes with this mark in place of the one that they have, or at their end; the rest stays as it is. */
export function withMark(current: string, mark: Mark): string {
  const old = parseMark(current);
  return old === undefined ? notes(current, mark) : current.replace(markText(old), () => markText(mark));
}

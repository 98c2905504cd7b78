import { pathText } from "../config/text.ts";

/**
 * By VMID: the key that a template had first. A template that gets another key stays the same VM, and what is named or made
 * after its key keeps the first one: with another file name, or another salt, it would be another template.
 */
export type TemplateNames = Readonly<Record<string, string>>;

/** The key that a template had first. */
export const firstKey = (key: string, vmId: number, names: TemplateNames): string => names[vmId] ?? key;

/** Where a template stands in the config, and which VM it is. */
export interface Placed {
  /** `templates.<key>`; replicas share it. */
  path: string;
  vmId: number;
  node: string;
  /** The nodes that have a replica; the VMIDs follow their order. */
  nodes?: readonly string[] | undefined;
}

/** `templates.<key>` with the key that the template, or the one that it is a replica of, had first. */
export function firstPath({ path, vmId, node, nodes = [node] }: Placed, names: TemplateNames): string {
  const first = names[vmId - nodes.indexOf(node)];
  return first === undefined ? path : pathText(["templates", first]);
}

import { contentHash } from "./contentHash.ts";

/** Where a resource is: its project and stack. */
export interface UrnScope {
  project: string;
  stack: string;
}

/** @param type with those of its parents in front of it, `$` between them */
export const urnOf = ({ project, stack }: UrnScope, type: string, name: string): string =>
  `urn:pulumi:${stack}::${project}::${type}::${name}`;

/**
 * The URN of a dynamic resource of ours, under which it shows its progress.
 *
 * @param parentType type of the component it belongs to, if it belongs to one
 */
export function resourceUrn(scope: UrnScope, type: string, name: string, parentType?: string): string {
  return urnOf(scope, `${parentType ? `${parentType}$` : ""}pulumi-nodejs:dynamic/golden-fleet:${type}`, name);
}

/** Where a resource is, from its URN. */
export function scopeOf(urn: string): UrnScope {
  const [, , stack = "", , project = ""] = urn.split(":");
  return { project, stack };
}

/** A URN holds the types of a resource's parents and not their names, so a clone keeps its own when it moves to another set. */
export const CLONE_SET_TYPE = "golden-fleet:index:CloneSet";

/** The snippets of clones whose first boot is not their template's. */
export const CLONE_SNIPPETS_TYPE = "golden-fleet:index:CloneSnippets";

/** The name of a snippet of clones on a node: clones that boot with the same text share it. */
export const cloneSnippetName = (node: string, kind: string, text: string): string =>
  `${node}-${kind}-${contentHash(text)}`;

/** Its URN, which is the proxmoxve plugin's. */
export const cloneSnippetUrn = (scope: UrnScope, node: string, kind: string, text: string): string =>
  urnOf(scope, `${CLONE_SNIPPETS_TYPE}$proxmoxve:index/fileLegacy:FileLegacy`, cloneSnippetName(node, kind, text));

/** The name of a clone among the resources of a stack: PVE knows a VM by its VMID. */
export const cloneName = (vmId: number): string => `vm-${vmId}`;

/** @param fullStack `organization/project/stack` */
export function cloneUrn(fullStack: string, vmId: number): string {
  const [, project = "", stack = ""] = fullStack.split("/");
  return resourceUrn({ project, stack }, "Clone", cloneName(vmId), CLONE_SET_TYPE);
}

/** @param fullStack `organization/project/stack` */
export function cloneSetUrn(fullStack: string, set: string): string {
  const [, project = "", stack = ""] = fullStack.split("/");
  return `urn:pulumi:${stack}::${project}::${CLONE_SET_TYPE}::${set}`;
}

export const TEMPLATE_TYPE = "golden-fleet:index:VmTemplate";

/** The name of a template's resource among those of a stack: a template keeps its VM when it gets another key. */
export const templatePart = (vmId: number, part: string): string => `${vmId}-${part}`;

/** The URN of a template's VM, which is the proxmoxve plugin's, from that of its conversion. */
export const vmUrn = (conversionUrn: string): string =>
  conversionUrn.replace(/\$[^$]*::(.*)-conversion$/, (_, of) => `$proxmoxve:index/vmLegacy:VmLegacy::${of}-vm`);

import type { PlacedTemplate } from "../config/fleet.ts";
import { replicasOf } from "../config/replicas.ts";
import { EVERYTHING, includes, isPartial, type Selection } from "./selection.ts";
import {
  CLONE_SET_TYPE,
  CLONE_SNIPPETS_TYPE,
  cloneName,
  cloneSnippetUrn,
  resourceUrn,
  TEMPLATE_TYPE,
  templatePart,
  type UrnScope,
  urnOf,
} from "./urns.ts";

/** The globs by which preflight, and what all else depends on, get into a run. */
export const PREFLIGHT_GLOB = "**Preflight::preflight";

/** The glob by which the snippets of clones whose first boot is not their template's get into a run. */
export const CLONE_SNIPPETS_GLOB = "**:index:CloneSnippets**";

const ADD_TARGET = `add --target '${PREFLIGHT_GLOB}'`;
const LEAVE_IN = "choose an --exclude that does not match it";

/**
 * What is said of a run that changes things without looking at them first.
 *
 * @param part undefined: nobody knows what the run is about
 */
export function unchecked(part?: Pick<Part, "leavesOut">): string {
  const todo = part ? (part.leavesOut ? LEAVE_IN : ADD_TARGET) : `${ADD_TARGET}, or ${LEAVE_IN}`;
  return `preflight is not part of this run, so nothing is looked at before it is changed: ${todo}`;
}

/** The parts of a template, with their types. */
const DYNAMIC = {
  image: "Image",
  snippets: "SnippetFiles",
  guard: "VmGuard",
  conversion: "TemplateConversion",
} as const;
const SNIPPETS = ["vendor", "user", "meta", "network", "clones"];
/** Types of the plugin's resources among them. */
const SNIPPET = "proxmoxve:index/fileLegacy:FileLegacy";
const VM = "proxmoxve:index/vmLegacy:VmLegacy";

/** The part of a fleet that a run of the engine is about. */
export class Part {
  readonly #selection: Selection;
  readonly #scope: UrnScope;

  constructor(scope: UrnScope, selection: Selection = EVERYTHING) {
    this.#scope = scope;
    this.#selection = selection;
  }

  /** Whether the run is about all of the fleet. */
  get isWhole(): boolean {
    return !isPartial(this.#selection);
  }

  /** Whether no target but preflight is named. */
  get namesNothingElse(): boolean {
    return this.#selection.targets.every((target) => includes({ ...EVERYTHING, targets: [target] }, this.preflightUrn));
  }

  /** Whether it is told what the run is not about, rather than what it is about. */
  get leavesOut(): boolean {
    return this.#selection.targets.length === 0 && this.#selection.excludes.length > 0;
  }

  get #stack(): string {
    const { project, stack } = this.#scope;
    return urnOf(this.#scope, "pulumi:pulumi:Stack", `${project}-${stack}`);
  }

  /** What everything but preflight itself depends on. */
  get #common(): string[] {
    return [this.#stack, this.preflightUrn, urnOf(this.#scope, "pulumi:providers:proxmoxve", "proxmoxve")];
  }

  get preflightUrn(): string {
    return resourceUrn(this.#scope, "Preflight", "preflight");
  }

  get hasPreflight(): boolean {
    return includes(this.#selection, this.preflightUrn, [this.#stack]);
  }

  #dynamicUrn(part: keyof typeof DYNAMIC, vmId: number): string {
    return resourceUrn(this.#scope, DYNAMIC[part], templatePart(vmId, part), TEMPLATE_TYPE);
  }

  #pluginUrn(type: string, part: string, vmId: number): string {
    return urnOf(this.#scope, `${TEMPLATE_TYPE}$${type}`, templatePart(vmId, part));
  }

  #vmUrn(vmId: number): string {
    return this.#pluginUrn(VM, "vm", vmId);
  }

  /** URNs of all that a template may consist of, but for the component itself. */
  #partsOf(vmId: number): string[] {
    return [
      ...(Object.keys(DYNAMIC) as (keyof typeof DYNAMIC)[]).map((part) => this.#dynamicUrn(part, vmId)),
      ...SNIPPETS.map((part) => this.#pluginUrn(SNIPPET, part, vmId)),
      this.#vmUrn(vmId),
    ];
  }

  #templateUrns(key: string, vmId: number): string[] {
    return [urnOf(this.#scope, TEMPLATE_TYPE, key), ...this.#partsOf(vmId)];
  }

  /**
   * Parts of a template that the run leaves out, although it makes others from them that are not there yet either.
   *
   * @param isThere whether there is a part of this name
   */
  lacking(key: string, vmId: number, isThere: (part: string) => boolean): string[] {
    const component = urnOf(this.#scope, TEMPLATE_TYPE, key);
    const chain = (["image", "guard", "vm", "conversion"] as const).map((part) => {
      const urn = part === "vm" ? this.#vmUrn(vmId) : this.#dynamicUrn(part, vmId);
      return { part, isThere: isThere(part), isIn: includes(this.#selection, urn, [...this.#common, component]) };
    });
    return chain.flatMap(({ part, isThere, isIn }, index) => {
      const isNeeded = chain.slice(index + 1).some((later) => later.isIn && !later.isThere);
      return isNeeded && !isThere && !isIn ? [part] : [];
    });
  }

  /** Whether the run is about a template's image. */
  hasImage(key: string, vmId: number): boolean {
    const component = urnOf(this.#scope, TEMPLATE_TYPE, key);
    return includes(this.#selection, this.#dynamicUrn("image", vmId), [...this.#common, component]);
  }

  /** Whether the run may make a template's VM anew. */
  hasTemplateVm(key: string, vmId: number): boolean {
    return includes(this.#selection, this.#vmUrn(vmId), [
      ...this.#common,
      urnOf(this.#scope, TEMPLATE_TYPE, key),
      ...this.#partsOf(vmId),
    ]);
  }

  /** Whether the run is about a template, or one of its parts. */
  hasTemplate(key: string, vmId: number): boolean {
    if (this.isWhole) return true;
    const component = urnOf(this.#scope, TEMPLATE_TYPE, key);
    return this.#partsOf(vmId).some((urn) => includes(this.#selection, urn, [...this.#common, component]));
  }

  /**
   * Whether the run is about a clone.
   *
   * @param templates all that the config has
   */
  hasClone(
    set: string,
    { vmId, template }: { vmId: number; template: string },
    templates: Readonly<Record<string, PlacedTemplate>>,
  ): boolean {
    if (this.isWhole) return true;
    const sources = Object.values(replicasOf(templates, template)).flatMap((key) => {
      const source = templates[key];
      return source ? this.#templateUrns(key, source.vmId) : [];
    });
    return includes(this.#selection, this.#cloneUrn(vmId), [
      ...this.#common,
      urnOf(this.#scope, CLONE_SET_TYPE, set),
      ...sources,
    ]);
  }

  /** Whether the run is about a snippet of clones. */
  hasCloneSnippet(urn: string): boolean {
    return includes(this.#selection, urn, [...this.#common, urnOf(this.#scope, CLONE_SNIPPETS_TYPE, "clones")]);
  }

  /** The URN of a snippet of clones on a node. */
  cloneSnippetUrn(node: string, kind: string, text: string): string {
    return cloneSnippetUrn(this.#scope, node, kind, text);
  }

  /** Whether the run is about a clone that the config does not have. */
  hasLostClone(vmId: number): boolean {
    return this.hasClone("", { vmId, template: "" }, {});
  }

  #cloneUrn(vmId: number): string {
    return resourceUrn(this.#scope, "Clone", cloneName(vmId), CLONE_SET_TYPE);
  }
}

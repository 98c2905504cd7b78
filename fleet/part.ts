import type { PlacedTemplate } from "../config/fleet.ts";
import { replicasOf } from "../config/replicas.ts";
import { EVERYTHING, includes, isPartial, type Selection } from "./selection.ts";
import { CLONE_SET_TYPE, cloneName, resourceUrn, TEMPLATE_TYPE, templatePart, type UrnScope, urnOf } from "./urns.ts";

/** The globs by which preflight, and what all else depends on, get into a run. */
export const PREFLIGHT_GLOB = "**Preflight::preflight";

/** The parts of a template, in the order in which they depend on each other. */
const DYNAMIC = {
  image: "Image",
  snippets: "SnippetFiles",
  guard: "VmGuard",
  conversion: "TemplateConversion",
} as const;
const PLUGIN = {
  vendor: "proxmoxve:index/fileLegacy:FileLegacy",
  user: "proxmoxve:index/fileLegacy:FileLegacy",
  network: "proxmoxve:index/fileLegacy:FileLegacy",
  clones: "proxmoxve:index/fileLegacy:FileLegacy",
  vm: "proxmoxve:index/vmLegacy:VmLegacy",
} as const;

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

  /** URNs of all that a template may consist of, but for the component itself. */
  #partsOf(vmId: number): string[] {
    return [
      ...Object.entries(DYNAMIC).map(([part, type]) =>
        resourceUrn(this.#scope, type, templatePart(vmId, part), TEMPLATE_TYPE),
      ),
      ...Object.entries(PLUGIN).map(([part, type]) =>
        urnOf(this.#scope, `${TEMPLATE_TYPE}$${type}`, templatePart(vmId, part)),
      ),
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
      const urn =
        part === "vm"
          ? urnOf(this.#scope, `${TEMPLATE_TYPE}$${PLUGIN.vm}`, templatePart(vmId, part))
          : resourceUrn(this.#scope, DYNAMIC[part], templatePart(vmId, part), TEMPLATE_TYPE);
      return { part, isThere: isThere(part), isIn: includes(this.#selection, urn, [...this.#common, component]) };
    });
    return chain.flatMap(({ part, isThere, isIn }, index) => {
      const isNeeded = chain.slice(index + 1).some((later) => later.isIn && !later.isThere);
      return isNeeded && !isThere && !isIn ? [part] : [];
    });
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

  /** Whether the run is about a clone that the config does not have. */
  hasLostClone(vmId: number): boolean {
    return this.hasClone("", { vmId, template: "" }, {});
  }

  #cloneUrn(vmId: number): string {
    return resourceUrn(this.#scope, "Clone", cloneName(vmId), CLONE_SET_TYPE);
  }
}

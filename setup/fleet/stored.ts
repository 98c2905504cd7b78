import type { PreflightInputs } from "../../providers/preflight/provider.ts";
import type { Past, PastClone } from "../../providers/resolve/past.ts";
import type { StoredResource } from "./cli.ts";
import type { Stage } from "./stages.ts";

/** What a stack's state says of the fleet. */

export const TEMPLATE_STAGES = ["image", "vm", "template"] as const satisfies readonly Stage[];
export type TemplateStage = (typeof TEMPLATE_STAGES)[number];

/** The part of a template that is there when a stage has been done. */
const RESULT: Record<TemplateStage, string> = { image: "image", vm: "vm", template: "conversion" };

const nameOf = (urn: string): string => urn.split("::").at(-1) ?? "";

/** Whether a stage of a template has been done. In states of earlier versions the template's key stands in front of names. */
export function isMade(urns: readonly string[], key: string, vmId: number, stage: TemplateStage): boolean {
  const part = `${vmId}-${RESULT[stage]}`;
  return urns.some((urn) => {
    const name = nameOf(urn);
    return name === part || name.endsWith(`-${part}`) || (stage === "image" && name === `${key}-image`);
  });
}

export interface InState {
  /** VMIDs of templates and clones. */
  templates: number[];
  clones: number[];
  /** `VmTemplate::noble`, `CloneSet::web` */
  components: string[];
}

/** The templates, clones and components of the state. */
export function inState(urns: readonly string[]): InState {
  const vmIds = (pattern: RegExp) => [...new Set(urns.flatMap((urn) => Number(pattern.exec(urn)?.[1]) || []))];
  return {
    templates: vmIds(/:index:VmTemplate\$.*::(?:.*-)?(\d+)-[a-z]+$/),
    clones: vmIds(/:index:CloneSet\$.*::.*-(\d+)$/),
    components: urns.flatMap((urn) => /:index:((?:VmTemplate|CloneSet|CloneSnippets)::.*)$/.exec(urn)?.[1] ?? []),
  };
}

/** What is known of earlier runs where the config leaves something to the cluster. */
export function pastOf(state: readonly StoredResource[]): Past {
  const inputsOf = (type: string) =>
    state.flatMap(({ urn, inputs }) => (urn.includes(`dynamic/golden-fleet:${type}::`) && inputs ? [inputs] : []));
  const [preflight = {}] = inputsOf("Preflight");
  const { fleetId, chosen = {}, existing = {} } = preflight as Partial<PreflightInputs>;
  return { fleetId, remembered: chosen, existing, clones: inputsOf("Clone") as unknown as PastClone[] };
}

import * as pulumi from "@pulumi/pulumi";
import type { Fleet } from "../config/fleet.ts";
import { changedOptions, diff } from "../providers/clone/diff.ts";
import type { CloneInputs } from "../providers/clone/inputs.ts";
import { type CloneState, VERSIONS } from "../providers/clone/state.ts";
import { migrated } from "../providers/dynamic/states.ts";
import type { CloneSet, WantedClone } from "./cloneSet.ts";
import { isKnown, type Plan, planOf } from "./plan.ts";
import { type Event, type Plot, story } from "./story.ts";
import type { VmTemplate } from "./vmTemplate.ts";

/** Outputs of all resources that the engine's state had before the run, by URN. */
type Stored = ReadonlyMap<string, Readonly<Record<string, unknown>>>;

/** Asks the engine, which answers from the state as it is stored; there is no function for it in the SDK. */
async function readStored(): Promise<Stored> {
  const stackName = [pulumi.getOrganization(), pulumi.getProject(), pulumi.getStack()].join("/");
  const answer = await pulumi.runtime.invoke("pulumi:pulumi:readStackResourceOutputs", { stackName });
  const resources = answer.outputs as Record<string, { outputs: Record<string, unknown> }>;
  return new Map(Object.entries(resources).map(([urn, { outputs }]) => [urn, outputs]));
}

const ofType = (stored: Stored, type: string) =>
  [...stored].flatMap(([urn, outputs]) => (urn.split("::")[2]?.endsWith(type) ? [outputs] : []));

/** The clones of the state, by VMID. */
const clonesOf = (stored: Stored): Map<number, CloneState> =>
  new Map(
    ofType(stored, ":dynamic/golden-fleet:Clone").map((outputs) => {
      const state = migrated(VERSIONS, outputs) as unknown as CloneState;
      return [state.spec.vmId, state];
    }),
  );

/** What happens to a clone of the config. */
export function cloneEvents(
  plan: Plan,
  state: CloneState | undefined,
  { wish, nodes }: Omit<WantedClone, "resource">,
): Event[] {
  const event = (effect: Event["effect"], detail = ""): Event => ({
    what: "clone",
    name: wish.name,
    effect,
    ...(detail && { detail }),
  });
  if (plan === "same") return [];
  if (!state) return [event("made")];
  const news: CloneInputs = {
    ...wish,
    fleetId: state.spec.fleetId,
    template: state.made?.template ?? "",
    places: nodes.map((node) => ({ node, sourceVmId: 0 })),
  };
  const { reasons } = diff(state, news);
  if (plan === "create") {
    if (!state.made) return [event("made", reasons.find(({ effect }) => effect === "made")?.detail)];
    return [
      event("replaced", state.made.full === wish.full ? "another template" : wish.full ? "mode: full" : "mode: linked"),
    ];
  }
  const { changed, treated } = changedOptions(state, news);
  const events = [
    ...reasons.map(({ effect, detail }) => event(effect, detail)),
    ...(changed ? [event("changed", changed)] : []),
  ];
  return events.length > 0 ? events : [event("treated", treated)];
}

/** A template of another VMID is made beside the one of the same name. */
const templateEvent = (name: string, vmId: unknown, effect: Event["effect"]): Event => ({
  what: "template",
  name: `${name} (VM ${vmId})`,
  effect,
});

async function templateEvents(
  config: Pick<Fleet, "templates">,
  templates: ReadonlyMap<string, VmTemplate>,
  stored: Stored,
): Promise<Event[]> {
  const before = new Set(ofType(stored, "proxmoxve:index/vmLegacy:VmLegacy").map(({ vmId }) => vmId));
  const events = [...templates].map(async ([name, template]): Promise<Event[]> => {
    const plan = await template.plan();
    if (plan === "same") return [];
    const vmId = config.templates[name]?.vmId;
    const made = before.has(vmId) ? "replaced" : "made";
    return [templateEvent(name, vmId, plan === "create" ? made : "changed")];
  });
  return (await Promise.all(events)).flat();
}

/** What is in the state and not in the config: the engine deletes it at the end of the run. */
function deletions({ templates, cloneSets }: Pick<Fleet, "templates" | "cloneSets">, stored: Stored): Event[] {
  const wanted = new Set<unknown>([
    ...Object.values(templates).map(({ vmId }) => vmId),
    ...Object.values(cloneSets).flatMap(({ clones }) => clones.map(({ vmId }) => vmId)),
  ]);
  return [
    ...ofType(stored, "proxmoxve:index/vmLegacy:VmLegacy").flatMap(({ vmId, name }) =>
      wanted.has(vmId) ? [] : [templateEvent(String(name), vmId, "deleted")],
    ),
    ...[...clonesOf(stored).values()].flatMap(({ spec: { vmId, name = `VM ${vmId}` }, made }) =>
      wanted.has(vmId) || !made ? [] : [{ what: "clone" as const, name, effect: "deleted" as const }],
    ),
  ];
}

async function plot(
  config: Pick<Fleet, "templates" | "cloneSets">,
  templates: ReadonlyMap<string, VmTemplate>,
  sets: ReadonlyMap<string, CloneSet>,
): Promise<Plot> {
  const unreadable = (error: unknown) => (error instanceof Error ? error.message : String(error));
  const read = await readStored().catch(unreadable);
  const stored: Stored = typeof read === "string" ? new Map() : read;
  const known = clonesOf(stored);
  const wanted = [...sets.values()].flatMap((set) => set.wanted);
  const ofClones = await Promise.all(
    wanted.map(async (one) =>
      cloneEvents(await planOf(one.resource, one.resource.status), known.get(one.wish.vmId), one),
    ),
  );
  const ofTemplates = await templateEvents(config, templates, stored);
  return {
    events: [...ofTemplates, ...ofClones.flat(), ...deletions(config, stored)],
    unchanged: {
      template: templates.size - ofTemplates.length,
      clone: ofClones.filter((events) => events.length === 0).length,
    },
    ...(typeof read === "string" && { deletionsUnknown: `the state could not be read: ${read}` }),
  };
}

/**
 * Says at the end of a preview what the run is going to do. A preview that fails has said why.
 *
 * @param preflight what everything else waits for
 */
export function foretell(
  preflight: pulumi.Resource,
  config: Pick<Fleet, "templates" | "cloneSets">,
  templates: ReadonlyMap<string, VmTemplate>,
  sets: ReadonlyMap<string, CloneSet>,
): void {
  if (!pulumi.runtime.isDryRun()) return;
  Promise.all([plot(config, templates, sets), isKnown(preflight.urn)]).then(
    ([found]) => pulumi.log.info(story(found)),
    () => undefined,
  );
}

import * as pulumi from "@pulumi/pulumi";
import type { Fleet } from "../config/fleet.ts";
import { changedOptions, diff } from "../providers/clone/diff.ts";
import type { CloneInputs } from "../providers/clone/inputs.ts";
import type { CloneState } from "../providers/clone/state.ts";
import { hasPlan } from "../providers/run/commandLine.ts";
import { readBefore } from "./before.ts";
import type { CloneSet, WantedClone } from "./cloneSet.ts";
import { isKnown, type Plan, planOf } from "./plan.ts";
import { isConcerned, type RunPart } from "./runPart.ts";
import { type Event, type Plot, story } from "./story.ts";
import type { VmTemplate } from "./vmTemplate.ts";

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
const templateName = (name: string, vmId: number): string => `${name} (VM ${vmId})`;

const templateEvent = (name: string, vmId: number, effect: Event["effect"]): Event => ({
  what: "template",
  name: templateName(name, vmId),
  effect,
});

type Config = Pick<Fleet, "templates" | "cloneSets">;

async function templateEvents(
  config: Config,
  templates: ReadonlyMap<string, VmTemplate>,
  { part, before }: RunPart,
): Promise<Event[]> {
  const events = [...templates].map(async ([name, template]): Promise<Event[]> => {
    const vmId = config.templates[name]?.vmId ?? 0;
    const plan = part.hasTemplate(name, vmId) ? await template.plan() : "same";
    if (plan === "same") return [];
    const made = before.hasPart(vmId, "vm") ? "replaced" : "made";
    return [templateEvent(name, vmId, plan === "create" ? made : "changed")];
  });
  return (await Promise.all(events)).flat();
}

/** What is in the state and not in the config: the engine deletes it at the end of the run. */
function deletions({ templates, cloneSets }: Config, { part, before }: RunPart): Event[] {
  const wanted = new Set<number>([
    ...Object.values(templates).map(({ vmId }) => vmId),
    ...Object.values(cloneSets).flatMap(({ clones }) => clones.map(({ vmId }) => vmId)),
  ]);
  const ofTemplates = before.templateVms.filter(({ vmId, name }) => !wanted.has(vmId) && part.hasTemplate(name, vmId));
  const ofClones = before.cloneStates.filter(
    ({ spec: { vmId }, made }) => made && !wanted.has(vmId) && part.hasLostClone(vmId),
  );
  return [
    ...ofTemplates.map(({ vmId, name }) => templateEvent(name, vmId, "deleted")),
    ...ofClones.map(({ spec: { vmId, name = `VM ${vmId}` } }): Event => ({ what: "clone", name, effect: "deleted" })),
  ];
}

async function plot(
  config: Config,
  templates: ReadonlyMap<string, VmTemplate>,
  sets: ReadonlyMap<string, CloneSet>,
  run: RunPart,
): Promise<Plot> {
  const known = new Map(run.before.cloneStates.map((state) => [state.spec.vmId, state]));
  const ofClones = await Promise.all(
    [...sets].flatMap(([key, { wanted }]) => {
      const set = config.cloneSets[key];
      return wanted.map(async ({ resource, ...one }) => {
        const { vmId } = one.wish;
        const plan = set && isConcerned(run, key, set, vmId, config) ? await planOf(resource, resource.status) : "same";
        return { exists: plan !== "same" || known.has(vmId), events: cloneEvents(plan, known.get(vmId), one) };
      });
    }),
  );
  const ofTemplates = await templateEvents(config, templates, run);
  const quiet = Object.entries(config.templates).filter(
    ([key, { vmId }]) =>
      !ofTemplates.some(({ name }) => name === templateName(key, vmId)) && run.before.hasPart(vmId, "vm"),
  );
  return {
    events: [...ofTemplates, ...ofClones.flatMap(({ events }) => events), ...deletions(config, run)],
    unchanged: {
      template: quiet.length,
      clone: ofClones.filter(({ exists, events }) => exists && events.length === 0).length,
    },
  };
}

/**
 * Says at the end of a preview what the run is going to do. A preview that fails has said why.
 *
 * To read the state, the engine starts a provider, which it shows to nobody. A plan would demand it of the run that follows
 * the plan, which has no preview: so with a plan nothing is said.
 *
 * @param preflight what everything else waits for
 */
export function foretell(
  preflight: pulumi.Resource,
  config: Config,
  templates: ReadonlyMap<string, VmTemplate>,
  sets: ReadonlyMap<string, CloneSet>,
  run: RunPart,
): void {
  if (!pulumi.runtime.isDryRun() || hasPlan()) return;
  const told = readBefore().then((before) => plot(config, templates, sets, { ...run, before }));
  Promise.all([told, isKnown(preflight.urn)]).then(
    ([found]) => pulumi.log.info(story(found)),
    () => undefined,
  );
}

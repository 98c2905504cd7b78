import * as pulumi from "@pulumi/pulumi";
import type { Fleet } from "../config/fleet.ts";
import { changedOptions, diff } from "../providers/clone/diff.ts";
import type { CloneInputs } from "../providers/clone/inputs.ts";
import type { CloneState } from "../providers/clone/state.ts";
import { hasPlan, refreshes } from "../providers/run/commandLine.ts";
import { readBefore } from "./before.ts";
import type { CloneSet, WantedClone } from "./cloneSet.ts";
import { isKnown, type Plan, planOf } from "./plan.ts";
import { isConcerned, type RunPart } from "./runPart.ts";
import { type Event, type Plot, story } from "./story.ts";
import type { VmTemplate } from "./vmTemplate.ts";

/** Why a clone is made anew. */
function replacedFor(made: NonNullable<CloneState["made"]>, wish: WantedClone["wish"]): string {
  if (made.full !== wish.full) return wish.full ? "mode: full" : "mode: linked";
  return made.firstBoot === wish.firstBoot ? "another template" : "another cloudInit";
}

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
  if (!state) return [event("made", wish.adopt ? "or taken over, if its VM is there: adopt" : "")];
  const news: CloneInputs = {
    ...wish,
    fleetId: state.spec.fleetId,
    template: state.made?.template ?? "",
    places: nodes.map((node) => ({ node, sourceVmId: 0 })),
  };
  const { reasons } = diff(state, news);
  if (plan === "create") {
    if (!state.made) return [event("made", reasons.find(({ effect }) => effect === "made")?.detail)];
    return [event("replaced", replacedFor(state.made, wish))];
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

/** What the engine has decided, by VMID. */
export interface Plans {
  templates: ReadonlyMap<number, Plan>;
  clones: ReadonlyMap<number, Plan>;
}

function templateEvents(config: Config, plans: Plans, { part, before }: RunPart): Event[] {
  return Object.entries(config.templates).flatMap(([name, { vmId }]) => {
    const plan = part.hasTemplate(name, vmId) ? (plans.templates.get(vmId) ?? "same") : "same";
    if (plan === "same") return [];
    const made = before.hasPart(vmId, "vm") ? "replaced" : "made";
    return [templateEvent(name, vmId, plan === "create" ? made : "changed")];
  });
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

/** All that happens, put together from what there was, what is wanted, and what the engine has decided. */
export function plot(
  config: Config,
  wanted: ReadonlyMap<string, readonly Omit<WantedClone, "resource">[]>,
  plans: Plans,
  run: RunPart,
): Plot {
  const states = new Map(run.before.cloneStates.map((state) => [state.spec.vmId, state]));
  const ofClones = [...wanted].flatMap(([key, clones]) => {
    const set = config.cloneSets[key];
    return clones.map((clone) => {
      const { vmId } = clone.wish;
      const concerned = set !== undefined && isConcerned(run, key, set, vmId, config);
      const events = cloneEvents((concerned && plans.clones.get(vmId)) || "same", states.get(vmId), clone);
      return { isThere: states.get(vmId)?.made !== undefined, events };
    });
  });
  const ofTemplates = templateEvents(config, plans, run);
  const there = Object.values(config.templates).filter(({ vmId }) => run.before.hasPart(vmId, "vm"));
  const touched = ofTemplates.filter(({ effect }) => effect !== "made");
  return {
    events: [...ofTemplates, ...ofClones.flatMap(({ events }) => events), ...deletions(config, run)],
    unchanged: {
      template: there.length - touched.length,
      clone: ofClones.filter(({ isThere, events }) => isThere && events.length === 0).length,
    },
  };
}

/** Waits until the engine has decided about everything. */
async function plansOf(
  config: Config,
  templates: ReadonlyMap<string, VmTemplate>,
  sets: ReadonlyMap<string, CloneSet>,
): Promise<Plans> {
  const ofTemplates = [...templates].map(
    async ([key, template]) => [config.templates[key]?.vmId ?? 0, await template.plan()] as const,
  );
  const ofClones = [...sets.values()].flatMap(({ wanted }) =>
    wanted.map(async ({ resource, wish }) => [wish.vmId, await planOf(resource, resource.status)] as const),
  );
  return { templates: new Map(await Promise.all(ofTemplates)), clones: new Map(await Promise.all(ofClones)) };
}

/**
 * Says at the end of a preview what the run is going to do.
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
  const reading = readBefore().catch((error: Error) => error);
  // A preview that fails says why itself.
  const deciding = Promise.all([plansOf(config, templates, sets), isKnown(preflight.urn)]).catch(() => undefined);
  const wanted = new Map([...sets].map(([key, set]) => [key, set.wanted]));
  Promise.all([reading, deciding])
    .then(([before, decided]) => {
      if (!decided) return;
      if (before instanceof Error) throw before;
      const text = story(plot(config, wanted, decided[0], { ...run, before }));
      // The engine goes by what the refresh has found, and that is stored nowhere yet.
      pulumi.log.info(refreshes() ? `${text}\n  This is told from the state before the refresh.` : text);
    })
    // A preview does not fail for what it cannot tell.
    .catch((error: Error) => pulumi.log.info(`what happens to the fleet is not told: ${error.message}`));
}

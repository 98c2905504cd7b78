import { shortNames } from "../fleet/shortNames.ts";
import type { Effect } from "../providers/clone/diff.ts";

/** What is going to happen to a template or a clone. A clone that is changed in place may have several. */
export interface Event {
  what: "template" | "clone";
  name: string;
  effect: Effect | "changed" | "treated" | "replaced" | "renewed" | "deleted";
  /** Why, or what of it. */
  detail?: string;
  /** Disks of the clone's own that are lost, with all that is on them. This is never left out, however much there is to tell. */
  loses?: string;
}

export interface Plot {
  events: readonly Event[];
  /** How many templates and clones there are that nothing happens to. */
  unchanged: { template: number; clone: number };
}

/** Lines that a screen has room for, with what the engine says around them. */
const MOST_LINES = 20;
/** More different details than this are counted, not listed. */
const DETAILS = 4;

/** The engine's signs, and what is said of one and of several. */
const WORDS: Record<Event["effect"], { sign: string; one: string; many: string }> = {
  made: { sign: "+", one: "is made", many: "are made" },
  replaced: {
    sign: "+-",
    one: "is made anew, and its disks are lost",
    many: "are made anew, and their disks are lost",
  },
  renewed: { sign: "+-", one: "is made anew, with disks that stay", many: "are made anew, with disks that stay" },
  deleted: { sign: "-", one: "is deleted, with its disks", many: "are deleted, with their disks" },
  finished: { sign: "~", one: "is finished", many: "are finished" },
  started: { sign: "~", one: "is stopped, and is started", many: "are stopped, and are started" },
  rebooted: { sign: "~", one: "is rebooted, if its guest needs it", many: "are rebooted, where guests need it" },
  migrated: { sign: "~", one: "is migrated", many: "are migrated" },
  losing: {
    sign: "~-",
    one: "loses disks of its own, with all that is on them",
    many: "lose disks of their own, with all that is on them",
  },
  snapshotted: { sign: "~", one: "gets a snapshot before that", many: "get a snapshot before that" },
  relocated: { sign: "~", one: "has its disks moved", many: "have their disks moved" },
  rekeyed: {
    sign: "~",
    one: "gets the SSH keys of the config, and loses those that were added by hand",
    many: "get the SSH keys of the config, and lose those that were added by hand",
  },
  regrouped: { sign: "~", one: "moves to another set, with its VM", many: "move to another set, with their VMs" },
  changed: { sign: "~", one: "is changed in place", many: "are changed in place" },
  informed: { sign: "~", one: "gets changes into its guest later", many: "get changes into their guests later" },
  kept: {
    sign: "~",
    one: "keeps what its first boot has made of it",
    many: "keep what their first boot has made of them",
  },
  awaited: { sign: "~", one: "was not ready, and is looked at again", many: "were not ready, and are looked at again" },
  pending: {
    sign: "~",
    one: "waits for a reboot, and is looked at again",
    many: "wait for a reboot, and are looked at again",
  },
  treated: { sign: "~", one: "has new settings, its VM stays", many: "have new settings, their VMs stay" },
};

const count = (number: number, word: string) => `${number} ${word}${number === 1 ? "" : "s"}`;

function grouped(events: readonly Event[], keyOf: (event: Event) => string): Event[][] {
  return [...Map.groupBy(events, keyOf).values()];
}

function line(events: readonly Event[], detail = ""): string {
  const [{ what, effect } = { what: "clone" as const, effect: "changed" as const }] = events;
  const { sign, one, many } = WORDS[effect];
  const loses = events[0]?.loses;
  const names = shortNames(
    events.map(({ name }) => name),
    loses === undefined ? undefined : Number.POSITIVE_INFINITY,
  );
  const lost = loses === undefined ? "" : `${events.length === 1 ? "lost" : "lost of each"}: ${loses}`;
  const more = [detail, lost].filter(Boolean).join("; ");
  const text = `${count(events.length, what)} ${events.length === 1 ? one : many}: ${names}`;
  return `  ${sign.padEnd(2)} ${text}${more && ` (${more})`}`;
}

/** One effect: a line for each detail, or a single one where there are too many. What loses disks has lines of its own. */
function lines(all: readonly Event[], details: number): string[] {
  const losing = grouped(
    all.filter(({ loses }) => loses !== undefined),
    ({ detail = "", loses }) => `${detail}\n${loses}`,
  ).map((some) => line(some, some[0]?.detail));
  const events = all.filter(({ loses }) => loses === undefined);
  if (events.length === 0) return losing;
  const byDetail = grouped(events, ({ detail = "" }) => detail);
  if (byDetail.length <= details) return [...losing, ...byDetail.map((some) => line(some, some[0]?.detail))];
  return [...losing, line(events, details > 0 ? `${byDetail[0]?.[0]?.detail}; others differ` : "")];
}

/** What a run is going to do, in words and counts: at most a screen, however many clones there are. */
export function story({ events, unchanged }: Plot): string {
  const others = (["template", "clone"] as const).flatMap((what) =>
    unchanged[what] > 0 ? [count(unchanged[what], what)] : [],
  );
  if (events.length === 0) {
    const kept = others.length > 0 ? `: ${others.join(" and ")} ${stay(unchanged)}` : "";
    return `Nothing happens to the fleet${kept}.`;
  }
  const effects = Object.keys(WORDS).flatMap((effect) =>
    (["template", "clone"] as const).map((what) =>
      events.filter((event) => event.effect === effect && event.what === what),
    ),
  );
  const told = [DETAILS, 1, 0]
    .map((details) => effects.filter((some) => some.length > 0).flatMap((some) => lines(some, details)))
    .find((all, index) => all.length <= MOST_LINES || index === 2);
  const rest = others.length > 0 ? [`     ${others.join(" and ")} ${stay(unchanged)}`] : [];
  return ["What happens to the fleet", ...(told ?? []), ...rest].join("\n");
}

const stay = ({ template, clone }: Plot["unchanged"]) =>
  template + clone === 1 ? "stays as it is" : "stay as they are";

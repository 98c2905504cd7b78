import { expect, it } from "vitest";
import { type Event, story } from "./story.ts";

const clones = (from: number, to: number, effect: Event["effect"], detail?: string): Event[] =>
  Array.from({ length: to - from + 1 }, (_, index) => ({
    what: "clone",
    name: `web-${from + index}`,
    effect,
    ...(detail && { detail }),
  }));
const template = (effect: Event["effect"], detail?: string): Event => ({
  what: "template",
  name: "noble",
  effect,
  ...(detail && { detail }),
});
const none = { template: 0, clone: 0 };

it("says of a fleet of hundreds in a few lines what is made", () => {
  expect(
    story({ events: [template("made"), ...clones(1, 500, "made")], unchanged: none }),
  ).toBe(`What happens to the fleet
  +  1 template is made: noble
  +  500 clones are made: web-1 … web-500`);
});

it("says what is lost, and why", () => {
  const events = [
    template("replaced"),
    ...clones(1, 50, "replaced", "new template"),
    ...clones(51, 52, "deleted"),
    { what: "clone", name: "db-1", effect: "deleted" } as const,
  ];
  expect(story({ events, unchanged: { template: 1, clone: 7 } })).toBe(`What happens to the fleet
  +- 1 template is made anew, and its disks are lost: noble
  +- 50 clones are made anew, and their disks are lost: web-1 … web-50 (new template)
  -  3 clones are deleted, with their disks: web-51, web-52, db-1
     1 template and 7 clones stay as they are`);
});

it("says what is done to clones in place, a line for each kind and reason", () => {
  const events = [
    ...clones(1, 3, "changed", "cores"),
    ...clones(4, 4, "changed", "tags"),
    ...clones(1, 3, "rebooted", "cores"),
    ...clones(5, 6, "migrated", "from node pve1 to pve2"),
  ];
  expect(story({ events, unchanged: { template: 1, clone: 0 } })).toBe(`What happens to the fleet
  ~  3 clones are rebooted, where guests need it: web-1 … web-3 (cores)
  ~  2 clones are migrated: web-5, web-6 (from node pve1 to pve2)
  ~  3 clones are changed in place: web-1 … web-3 (cores)
  ~  1 clone is changed in place: web-4 (tags)
     1 template stays as it is`);
});

it("names every disk of a clone's own that is lost, however much there is to tell", () => {
  const events: Event[] = [
    ...clones(1, 3, "deleted").map((one) => ({ ...one, loses: "scsi1 with 8 GiB" })),
    ...clones(5, 30, "changed").map((one) => ({ ...one, detail: one.name })),
    ...[40, 42, 44, 46, 48, 50, 52, 54].flatMap((n) =>
      clones(n, n, "losing").map((one) => ({ ...one, loses: "scsi1 with 8 GiB" })),
    ),
    ...Array.from({ length: 20 }, (_none, n): Event[] =>
      clones(60 + n, 60 + n, "renewed", "mode: full").map((one) => ({ ...one, loses: `scsi2 with ${n + 1} GiB` })),
    ).flat(),
    ...clones(90, 91, "renewed", "mode: full; scsi1 with 8 GiB"),
  ];
  const text = story({ events, unchanged: none });
  expect(text).toContain("-  3 clones are deleted, with their disks: web-1 … web-3 (lost of each: scsi1 with 8 GiB)");
  expect(text).toContain(
    "~- 8 clones lose disks of their own, with all that is on them: web-40, web-42, web-44, web-46, web-48, web-50, web-52, web-54 (lost of each: scsi1 with 8 GiB)",
  );
  for (let n = 0; n < 20; n++)
    expect(text).toContain(
      `+- 1 clone is made anew, with disks that stay: web-${60 + n} (mode: full; lost: scsi2 with ${n + 1} GiB)`,
    );
  expect(text).toContain("+- 2 clones are made anew, with disks that stay: web-90, web-91");
  expect(text).toContain("~  26 clones are changed in place: web-5 … web-30");
});

it("says that nothing happens, where nothing does", () => {
  expect(story({ events: [], unchanged: { template: 1, clone: 50 } })).toBe(
    "Nothing happens to the fleet: 1 template and 50 clones stay as they are.",
  );
  expect(story({ events: [], unchanged: none })).toBe("Nothing happens to the fleet.");
});

it("stays on a screen, whatever happens to however many", () => {
  const effects = ["made", "replaced", "deleted", "finished", "started", "rebooted", "migrated"] as const;
  const more = ["relocated", "regrouped", "changed", "informed", "awaited", "pending", "treated"] as const;
  const events = [...effects, ...more].flatMap((effect) =>
    Array.from({ length: 40 }, (_, n) =>
      clones(2 * n, 2 * n, effect, n % 3 === 0 ? `of its own, ${n}` : "as others"),
    ).flat(),
  );
  const told = story({ events: [template("changed"), ...events], unchanged: { template: 1, clone: 500 } });
  expect(told.split("\n").length).toBeLessThanOrEqual(22);
  expect(Math.max(...told.split("\n").map(({ length }) => length))).toBeLessThan(150);
  expect(told).toContain("40 clones are migrated: web-0, web-2, web-4, web-6, web-8, web-10 and 34 more");
  expect(told).toContain("(of its own, 0; others differ)");
});

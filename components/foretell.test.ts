import { expect, it } from "vitest";
import { load, noble } from "../config/testing.ts";
import { keysHash } from "../fleet/loginKeys.ts";
import { Part } from "../fleet/part.ts";
import { EVERYTHING, type Selection } from "../fleet/selection.ts";
import { cloneUrn } from "../fleet/urns.ts";
import { fakeClone, fakeState } from "../providers/clone/fakeClone.ts";
import type { CloneInputs } from "../providers/clone/inputs.ts";
import type { CloneState } from "../providers/clone/state.ts";
import { Before } from "./before.ts";
import { plot } from "./foretell.ts";
import type { Plan } from "./plan.ts";
import { story } from "./story.ts";

const scope = { project: "golden", stack: "test" };
const cloneOf = (n: number, change: Partial<CloneInputs> = {}) =>
  fakeClone({ vmId: 9100 + n, name: `web-${n}`, ...change });
const stateOf = (n: number, change: Partial<CloneState> = {}) => fakeState({ spec: cloneOf(n), ...change });

/** The story of a config with clones, what was there before, and what the engine has decided. */
function told(
  wishes: CloneInputs[],
  {
    states = [] as CloneState[],
    templateVms = [9000],
    clones = {},
    template = "same" as Plan,
    selection = EVERYTHING,
  }: {
    states?: CloneState[];
    templateVms?: number[];
    clones?: Record<number, Plan>;
    template?: Plan;
    selection?: Selection;
  } = {},
) {
  const listed = wishes.map(({ vmId, name }) => ({ vmId, name, ip: `10.0.0.${vmId - 9000}/24` }));
  const { templates = {}, cloneSets = {} } = load({
    templates: { noble },
    cloneSets: { web: { template: "noble", clones: listed } },
  });
  const urn = (vmId: number) => `urn:pulumi:test::golden::x$proxmoxve:index/vmLegacy:VmLegacy::${vmId}-vm`;
  const before = new Before(
    new Map<string, Record<string, unknown>>([
      ...templateVms.map((vmId) => [urn(vmId), { vmId, name: "noble" }] as const),
      ...states.map((state) => [cloneUrn(state.spec.stack, state.spec.vmId), { stateVersion: 2, ...state }] as const),
    ]),
  );
  const wanted = new Map([["web", wishes.map((wish) => ({ wish, nodes: wish.places.map(({ node }) => node) }))]]);
  const plans = {
    templates: new Map([[9000, template]]),
    clones: new Map(Object.entries(clones).map(([id, plan]) => [Number(id), plan])),
  };
  const { events, unchanged } = plot({ templates, cloneSets }, wanted, plans, {
    part: new Part(scope, selection),
    before,
  });
  const line = ({ what, name, effect, detail, loses }: (typeof events)[number]) =>
    `${what} ${name}: ${effect}${detail ? ` (${detail})` : ""}${loses ? ` loses ${loses}` : ""}`;
  return { events: events.map(line), unchanged };
}

it("of a fleet that is not there yet: all of it is made", () => {
  expect(
    told([cloneOf(1), cloneOf(2)], { templateVms: [], template: "create", clones: { 9101: "create", 9102: "create" } }),
  ).toEqual({
    events: ["template noble (VM 9000): made", "clone web-1: made", "clone web-2: made"],
    unchanged: { template: 0, clone: 0 },
  });
});

it("of clones that are made anew: why their disks go", () => {
  const states = [stateOf(1), stateOf(2)];
  const wishes = [cloneOf(1), cloneOf(2, { full: true })];
  expect(told(wishes, { states, template: "create", clones: { 9101: "create", 9102: "create" } }).events).toEqual([
    "template noble (VM 9000): replaced",
    "clone web-1: replaced (another template)",
    "clone web-2: replaced (mode: full)",
  ]);
});

it("of clones with disks of their own: which of them go, and which stay", () => {
  const disk = (drive: string) => ({ drive, datastore: "local-lvm", sizeGiB: 8, options: "" });
  const disks = [disk("scsi1"), disk("scsi2")];
  const states = [1, 2, 3, 4].map((n) => stateOf(n, { spec: cloneOf(n, { disks }) }));
  const wishes = [
    cloneOf(1, { full: true, disks }),
    cloneOf(2, { full: true, disks: [disk("scsi1")], keepDisks: true }),
    cloneOf(3, { disks: [disk("scsi1")] }),
  ];
  expect(told(wishes, { states, clones: { 9101: "create", 9102: "create", 9103: "update" } }).events).toEqual([
    "clone web-1: replaced (mode: full) loses scsi1 with 8 GiB, scsi2 with 8 GiB",
    "clone web-2: renewed (mode: full; scsi1 with 8 GiB) loses scsi2 with 8 GiB",
    "clone web-3: losing loses scsi2 with 8 GiB",
    "clone web-3: changed (extraDisks)",
    "clone web-4: deleted loses scsi1 with 8 GiB, scsi2 with 8 GiB",
  ]);
});

it("of clones that are changed: what of them, and what else that does", () => {
  const states = [stateOf(1), stateOf(2), stateOf(3)];
  const wishes = [
    cloneOf(1, { cores: 8, rebootOnChange: true }),
    cloneOf(2, { places: [{ node: "pve2", sourceVmId: 9000 }] }),
    cloneOf(3, { shutdownSeconds: 5 }),
  ];
  expect(told(wishes, { states, clones: { 9101: "update", 9102: "update", 9103: "update" } })).toEqual({
    events: [
      "clone web-1: rebooted (cores)",
      "clone web-1: changed (cores)",
      "clone web-2: migrated (from node pve1 to pve2)",
      "clone web-3: treated (shutdownSeconds)",
    ],
    unchanged: { template: 1, clone: 0 },
  });
});

it("of clones that get other keys: whose, and that those added by hand go", () => {
  const rotateKeys = { user: "ops", keys: ["ssh-ed25519 AAAA new"] };
  const states = [stateOf(1), stateOf(2, { givenKeys: keysHash(rotateKeys) })];
  const { events } = told([cloneOf(1, { rotateKeys }), cloneOf(2, { rotateKeys })], {
    states,
    clones: { 9101: "update" },
  });
  expect(events).toEqual(["clone web-1: rekeyed (user ops)"]);
  expect(
    story({ events: [{ what: "clone", name: "web-1", effect: "rekeyed" }], unchanged: { template: 0, clone: 0 } }),
  ).toBe(
    "What happens to the fleet\n  ~  1 clone gets the SSH keys of the config, and loses those that were added by hand: web-1",
  );
});

it("of what is in the state and not in the config: it is deleted, unless it was never made", () => {
  const { made: _, ...never } = stateOf(3, { status: "failed" });
  expect(told([cloneOf(1)], { states: [stateOf(1), stateOf(2), never], templateVms: [9000, 9010] })).toEqual({
    events: ["template noble (VM 9010): deleted", "clone web-2: deleted"],
    unchanged: { template: 1, clone: 1 },
  });
});

it("of a clone that the last run did not get done: that it is tried again", () => {
  const { made: _, ...never } = stateOf(1, { status: "failed", error: "could not make web-1 (…)\n  no space left" });
  expect(told([cloneOf(1)], { states: [never], clones: { 9101: "update" } }).events).toEqual([
    "clone web-1: made (the last run failed: no space left)",
  ]);
});

it("of a run of a part: nothing of what it leaves out, whatever the engine would do with it", () => {
  const selection = { ...EVERYTHING, targets: ["**Clone::vm-9101"] };
  const states = [stateOf(1), stateOf(2), stateOf(3)];
  const wishes = [cloneOf(1, { cores: 8 }), cloneOf(2, { cores: 8 }), cloneOf(4)];
  const clones = { 9101: "update", 9102: "same", 9104: "create" } as const;
  expect(told(wishes, { states, clones, selection })).toEqual({
    events: ["clone web-1: changed (cores)"],
    unchanged: { template: 1, clone: 1 },
  });
});

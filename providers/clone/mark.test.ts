import { describe, expect, it } from "vitest";
import { ownerOf, parseMark } from "../../fleet/ownership.ts";
import type { GuestConfig } from "../../proxmox/guests.ts";
import type { FoundVm } from "../guest/lookUp.ts";
import { fakeClone, fakeMade, UUID } from "./fakeClone.ts";
import { hasDescription, hasMark, madeFrom, markOf, notesOf, notThisClone, uuidOf } from "./mark.ts";

const MARK =
  "proxmox-golden-fleet: fleet=c1d2be9a stack=organization/golden/test resource=cloneSets.web vmid=9101 content=0123456789ab-linked";
const FULL = MARK.replace("linked", "full");
/** The notes that a clone has from its template. */
const TEMPLATES = `Golden *noble*\n\n${MARK.replace("cloneSets.web vmid=9101", "templates.noble vmid=9000")}`;

const mark = markOf(fakeClone(), fakeMade());
const fullMark = markOf(fakeClone(), fakeMade({ full: true }));

describe("a clone's mark", () => {
  it("says whose it is, and what it was made from", () => {
    expect(parseMark(MARK)).toEqual(mark);
    expect(madeFrom(mark)).toEqual({ template: "0123456789ab", full: false });
    expect(madeFrom(fullMark)).toEqual({ template: "0123456789ab", full: true });
  });

  it("of a template, or none, does not say what a clone was made from", () => {
    expect(madeFrom(undefined)).toBeUndefined();
    expect(madeFrom({ ...mark, content: "0123456789ab" })).toBeUndefined();
  });
});

describe("a clone's notes", () => {
  it("are the mark alone, or the config's description above it", () => {
    expect(notesOf(undefined, mark)).toBe(MARK);
    expect(notesOf("web *server*", mark)).toBe(`web *server*\n\n${MARK}`);
  });

  it("keep what people have written around the mark, and get the new mark in its place", () => {
    expect(notesOf(undefined, fullMark, { current: `ask Ann\n\n${MARK}\n\nor Bob` })).toBe(
      `ask Ann\n\n${FULL}\n\nor Bob`,
    );
    expect(notesOf(undefined, mark, { current: "ask Ann" })).toBe(`ask Ann\n\n${MARK}`);
  });

  it("keep what people have written, also when the config has a description, or another one", () => {
    const current = `the first\n\nask Ann\n\n${MARK}\n\nor Bob`;
    expect(notesOf("the first", mark, { had: "the first", current })).toBe(current);
    expect(notesOf("the second", mark, { had: "the first", current })).toBe(
      `the second\n\nask Ann\n\n${MARK}\n\nor Bob`,
    );
  });

  it("get the config's description above what there is, where it is not there (any more)", () => {
    const [above, lost] = [`the first\n\nask Ann\n\n${MARK}`, `ask Ann\n\n${MARK}`];
    expect(notesOf("the first", mark, { current: lost })).toBe(above);
    // PVE said at the last refresh that it has gone.
    expect(notesOf("the first", mark, { had: "", current: lost })).toBe(above);
    expect(notesOf("the first", mark, { had: "", current: above })).toBe(above);
  });

  it("lose the description that the config has taken back, and nothing else", () => {
    const current = `the first\n\nask Ann\n\n${MARK}`;
    expect(notesOf("", mark, { had: "the first", current })).toBe(`ask Ann\n\n${MARK}`);
  });

  it("have the clone's mark in place of its template's", () => {
    expect(notesOf(undefined, mark, { current: TEMPLATES })).toBe(`Golden *noble*\n\n${MARK}`);
  });

  it("are written as they are, also where they look like a replacement pattern", () => {
    const stack = "organization/golden/$&$1";
    const pattern = markOf(fakeClone({ stack }), fakeMade());
    expect(notesOf(undefined, pattern, { current: MARK })).toBe(MARK.replace("organization/golden/test", () => stack));
    expect(notesOf("costs $& and $1", mark, { had: "free", current: `free\n\n${MARK}` })).toBe(
      `costs $& and $1\n\n${MARK}`,
    );
  });

  it("have a description where its lines stand, not where its words are somebody else's or the mark's", () => {
    const notes = `golden fleet\nask Ann\n\n${MARK}`;
    expect(hasDescription(notes, "golden fleet\nask Ann\n")).toBe(true);
    expect(hasDescription(notes.replaceAll("\n", "\r\n"), "ask Ann")).toBe(true);
    expect(hasDescription(notes, "")).toBe(true);
    for (const words of ["golden", "Ann", "ask Bob"]) expect(hasDescription(notes, words)).toBe(false);
    expect(hasDescription(undefined, "golden")).toBe(false);
    const changed = notesOf("silver", mark, { had: "golden", current: notes });
    expect(changed).toBe(`silver\n\n${notes}`);
  });

  it("have this clone's mark, whatever else is in them", () => {
    expect(hasMark(fakeClone(), `ask Ann\n\n${MARK}\n\nor Bob`)).toBe(true);
    expect(hasMark(fakeClone({ set: "app" }), MARK)).toBe(false);
    expect(hasMark(fakeClone({ fleetId: "00000000" }), MARK)).toBe(false);
    expect(hasMark(fakeClone(), TEMPLATES)).toBe(false);
    expect(hasMark(fakeClone(), undefined)).toBe(false);
  });
});

/** A VM on the clone's VMID. */
function found(description: string | undefined, config: GuestConfig = {}): FoundVm {
  return {
    kind: "vm",
    node: "pve1",
    config: { name: "web-1", ...(description !== undefined && { description }), ...config },
    owner: ownerOf(description, 9101, "c1d2be9a"),
    mark: parseMark(description, 9101),
    busy: undefined,
  };
}
const UNMARKED = { smbios1: `uuid=${UUID},base64=1,serial=ZHM9` };

describe("a VM is this clone", () => {
  it("when its mark is one of this stack's clones, in whichever set: it moves from set to set", () => {
    expect(notThisClone(found(MARK))).toBeUndefined();
    expect(notThisClone(found(MARK.replace("cloneSets.web", "cloneSets.app")))).toBeUndefined();
  });

  it("when it has lost its notes but not its UUID", () => {
    expect(notThisClone(found(undefined, UNMARKED), UUID)).toBeUndefined();
    expect(notThisClone(found("ask Ann", UNMARKED), UUID)).toBeUndefined();
  });
});

describe("a VM is not this clone", () => {
  const made = 'VM "web-1" on node pve1, which this stack did not make';

  it("without a mark, where nobody knows the clone's UUID, or it has another one", () => {
    expect(notThisClone(found("a mail server", UNMARKED))).toBe(made);
    expect(notThisClone(found("a mail server", { smbios1: "uuid=ffffffff" }), UUID)).toBe(made);
    expect(notThisClone(found("a mail server"), UUID)).toBe(made);
  });

  it("with another VM's mark, though it has the clone's UUID: it is a copy that somebody has made", () => {
    expect(notThisClone(found(MARK.replace("9101", "9102"), UNMARKED), UUID)).toBe(made);
    expect(notThisClone(found(TEMPLATES, UNMARKED), UUID)).toBe(made);
  });

  it("with another stack's mark, though it has the clone's UUID", () => {
    const other = MARK.replace("c1d2be9a stack=organization/golden/test", "00000000 stack=organization/golden/prod");
    expect(notThisClone(found(other, UNMARKED), UUID)).toBe(
      'VM "web-1" on node pve1, which belongs to stack organization/golden/prod',
    );
  });

  it("when it is this stack's template", () => {
    const template = MARK.replace("cloneSets.web", "templates.noble");
    expect(notThisClone(found(template, { template: 1 }))).toBe(
      'template "web-1" on node pve1, which is templates.noble of this stack',
    );
  });
});

it.each([
  ["uuid=0a0b,base64=1,serial=ZHM9", "0a0b"],
  ["base64=1,uuid=0a0b", "0a0b"],
  ["base64=1,serial=uuid", undefined],
  [undefined, undefined],
])("the UUID in smbios1 %s is %s", (smbios, uuid) => {
  expect(uuidOf(smbios)).toBe(uuid);
});

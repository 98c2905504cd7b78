import { describe, expect, it } from "vitest";
import { parseMark } from "../../fleet/ownership.ts";
import { fakeClone } from "./fakeClone.ts";
import { madeFrom, markOf, notesOf } from "./made.ts";

const MARK =
  "proxmox-golden-fleet: fleet=c1d2be9a stack=organization/golden/test resource=cloneSets.web vmid=9101 content=0123456789ab-linked";
const FULL = MARK.replace("linked", "full");
/** The notes that a clone has from its template. */
const TEMPLATES = `Golden *noble*\n\n${MARK.replace("cloneSets.web vmid=9101", "templates.noble vmid=9000")}`;

describe("a clone's mark", () => {
  it("says whose it is, and what it was made from", () => {
    expect(parseMark(MARK)).toEqual(markOf(fakeClone()));
    expect(madeFrom(MARK)).toEqual({ template: "0123456789ab", full: false });
    expect(madeFrom(`notes\n\n${FULL}`)).toEqual({ template: "0123456789ab", full: true });
  });

  it("of a template, or none, does not say what a clone was made from", () => {
    expect(madeFrom(undefined)).toBeUndefined();
    expect(madeFrom("ask Ann")).toBeUndefined();
    expect(madeFrom(MARK.replace("-linked", ""))).toBeUndefined();
  });
});

describe("a clone's notes", () => {
  it("are the mark alone, or the config's description above it", () => {
    expect(notesOf(fakeClone(), undefined)).toBe(MARK);
    expect(notesOf(fakeClone({ description: "web *server*" }), undefined)).toBe(`web *server*\n\n${MARK}`);
  });

  it("keep what people have written around the mark, and get the new mark in its place", () => {
    expect(notesOf(fakeClone({ full: true }), `ask Ann\n\n${MARK}\n\nor Bob`)).toBe(`ask Ann\n\n${FULL}\n\nor Bob`);
    expect(notesOf(fakeClone(), "ask Ann")).toBe(`ask Ann\n\n${MARK}`);
  });

  it("are the config's, whatever people have written, when it has a description", () => {
    expect(notesOf(fakeClone({ description: "new" }), `ask Ann\n\n${MARK}`)).toBe(`new\n\n${MARK}`);
  });

  it("have the clone's mark in place of its template's", () => {
    expect(notesOf(fakeClone(), TEMPLATES)).toBe(`Golden *noble*\n\n${MARK}`);
  });

  it("are written as they are, also where they look like a replacement pattern", () => {
    const stack = "organization/golden/$&$1";
    expect(notesOf(fakeClone({ stack }), MARK)).toBe(MARK.replace("organization/golden/test", () => stack));
  });
});

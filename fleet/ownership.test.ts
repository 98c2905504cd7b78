import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Mark, markText, notes, ownerOf, parseMark, withMark } from "./ownership.ts";

const mark: Mark = {
  fleetId: "c1d2be9a",
  stack: "organization/proxmox-golden-fleet/home",
  resource: "cloneSets.web.web-1",
  vmId: 9101,
  content: "linked",
};

describe("the mark", () => {
  it("is found again below the user's notes, whatever PVE or an editor did to the line ends", () => {
    const text = notes("# Web\n\nask Ann\n", mark);
    for (const stored of [text, `${text}\n`, text.replaceAll("\n", "\r\n"), `${text}\nsomebody's addition`]) {
      expect(parseMark(stored)).toEqual(mark);
    }
  });

  it("stands alone where there are no notes", () => {
    expect(notes("  \n", mark)).toBe(markText(mark));
  });

  it("is not found in part of it", () => {
    expect(parseMark(markText(mark).replace(" content=linked", ""))).toBeUndefined();
    expect(parseMark(`see ${markText(mark)}`)).toBeUndefined();
    expect(parseMark(undefined)).toBeUndefined();
  });
});

describe("of several marks", () => {
  const other = markText({ ...mark, resource: "cloneSets.db", vmId: 9201 });

  it("the VM's own counts, whether others are quoted above it or below", () => {
    for (const text of [notes(`stands in for\n${other}`, mark), `${markText(mark)}\n\nstood in for\n${other}`]) {
      expect(parseMark(text, 9101)).toEqual(mark);
      expect(ownerOf(text, 9101, "c1d2be9a")).toBe("ours");
    }
  });

  it("with the same VMID the last one counts, so that a VM never has two owners", () => {
    const text = notes(`taken over from\n${markText(mark)}`, { ...mark, fleetId: "00000000" });
    expect(ownerOf(text, 9101, "00000000")).toBe("ours");
    expect(ownerOf(text, 9101, "c1d2be9a")).toBe("other-stack");
  });

  it("none of which has the VMID, the last one counts", () => {
    expect(parseMark(`${other}\n${markText(mark)}`, 120)).toEqual(mark);
    expect(parseMark(`${other}\n${markText(mark)}`)).toEqual(mark);
  });
});

describe("a mark that changes", () => {
  const word = fc.stringMatching(/^[a-zA-Z0-9.$&/-]{1,12}$/);
  const anyMark = fc.record({
    fleetId: word,
    stack: word,
    resource: word,
    vmId: fc.integer({ min: 100, max: 999 }),
    content: word,
  });
  const line = fc.oneof(
    { weight: 3, arbitrary: fc.string() },
    { weight: 1, arbitrary: anyMark.map(markText) },
    { weight: 1, arbitrary: fc.constantFrom("", "# Web", "ask Ann ", "see $& and $1", "\u2028") },
  );
  /** What people write: lines, quoted marks of other VMs (those have VMIDs below 1000) among them. */
  const text = fc
    .tuple(fc.array(line, { maxLength: 6 }), fc.constantFrom("\n", "\r\n"))
    .map(([lines, lineEnd]) => lines.map((one) => one + lineEnd).join(""));
  const ownMark = anyMark.map((one) => ({ ...one, vmId: one.vmId + 9000 }));

  it("takes the place of the old one; what is around it stays to the letter", () => {
    fc.assert(
      fc.property(text, text, ownMark, word, fc.constantFrom("\n", "\r\n"), (above, below, old, content, lineEnd) => {
        const changed = { ...old, content };
        const before = above + markText(old) + lineEnd + below;
        expect(withMark(before, changed)).toBe(above + markText(changed) + lineEnd + below);
      }),
    );
  });

  it("goes below the notes where there is none, and they stay", () => {
    fc.assert(
      fc.property(text, fc.string(), ownMark, (lines, end, own) => {
        const current = `${lines}${end}.`;
        expect(withMark(current, own)).toMatch(/\r?\n\r?\nproxmox-golden-fleet: .*$/);
        expect(withMark(current, own).startsWith(current)).toBe(true);
      }),
    );
  });

  it("is found again, and put there only once", () => {
    fc.assert(
      fc.property(text, ownMark, (current, own) => {
        const once = withMark(current, own);
        expect(parseMark(once, own.vmId)).toEqual(own);
        expect(ownerOf(once, own.vmId, own.fleetId)).toBe("ours");
        expect(withMark(once, own)).toBe(once);
      }),
    );
  });

  it("takes the place of the template's, which PVE copies with the notes", () => {
    const template = { ...mark, resource: "templates.noble", vmId: 9000 };
    expect(withMark(`${notes("# Web", template)}\n`, mark)).toBe(`${notes("# Web", mark)}\n`);
  });

  it("keeps Windows line ends", () => {
    expect(withMark("# Web\r\nask Ann\r\n", mark)).toBe(`# Web\r\nask Ann\r\n\r\n${markText(mark)}`);
  });
});

describe("whose a VM is", () => {
  it.each([
    ["ours", markText(mark), 9101, "c1d2be9a"],
    ["other-stack", markText(mark), 9101, "00000000"],
    ["foreign", "a mail server", 9101, "c1d2be9a"],
    ["foreign", undefined, 9101, "c1d2be9a"],
  ] as const)("%s", (whose, description, vmId, fleetId) => {
    expect(ownerOf(description, vmId, fleetId)).toBe(whose);
  });

  it("a clone that somebody made by hand of one of ours is not ours", () => {
    expect(ownerOf(markText(mark), 120, "c1d2be9a")).toBe("foreign");
  });
});

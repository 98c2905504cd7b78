import { describe, expect, it } from "vitest";
import { type Mark, markText, notes, ownerOf, parseMark } from "./ownership.ts";

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

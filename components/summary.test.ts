import { describe, expect, it } from "vitest";
import type { CloneInfo } from "./cloneSet.ts";
import { summary, type TemplateInfo } from "./summary.ts";

const noble = {
  name: "noble",
  vmId: 9000,
  nodeName: "pve1",
  isTemplate: true,
  image: { file: "noble-48bbece7.qcow2", origin: "cached", checksum: "sha256:48bb" },
} as TemplateInfo;

const clones = (count: number, change: Partial<CloneInfo> = {}): CloneInfo[] =>
  Array.from({ length: count }, (_, index) => ({
    name: `web-${index + 1}`,
    vmId: 9101 + index,
    node: "pve1",
    address: `10.0.${Math.floor(index / 250)}.${(index % 250) + 1}`,
    running: true,
    ...change,
  }));

const lines = (text: string) => text.split("\n");

describe("the summary", () => {
  it("shows each template and clone in columns, and how to log in", () => {
    expect(lines(summary([noble], { web: clones(2) }, "ubuntu")).slice(0, 11)).toEqual([
      "1 template, 2 clones, 2 of them running",
      "",
      "Templates",
      "  9000  noble  pve1  template  noble-48bbece7.qcow2 (cached, sha256 verified)",
      "",
      "Clones of web",
      "  9101  web-1  pve1  10.0.0.1  running",
      "  9102  web-2  pve1  10.0.0.2  running",
      "",
      "Next",
      "  ssh ubuntu@10.0.0.1",
    ]);
  });

  it("of an empty stack is about nothing that does not exist", () => {
    const text = summary([], {}, "");
    expect(lines(text)[0]).toBe("no templates and no clones yet");
    expect(text).not.toContain("Templates");
    expect(text).not.toContain("ssh ");
    expect(text).toContain("Pulumi.<stack>.yaml");
    expect(text).not.toContain("pulumi destroy");
  });

  it("of 500 clones lists twenty, with those that are stopped wherever they are", () => {
    const many = clones(500);
    many[321] = { ...(many[321] as CloneInfo), running: false };
    const text = summary([noble], { web: many }, "ubuntu");
    expect(lines(text)[0]).toBe("1 template, 500 clones, 499 of them running");
    expect(text).toContain("  … and 480 more, all running: pulumi stack output clones");
    expect(text).toMatch(/9422 {2}web-322 .* stopped/);
    expect(lines(text).length).toBeLessThan(40);
  });

  it("of 500 stopped clones is no longer, and says how many of the rest are stopped", () => {
    const text = summary([noble], { web: clones(500, { running: false }) }, "ubuntu");
    expect(lines(text)[0]).toBe("1 template, 500 clones, none of them running");
    expect(text).toContain("  … and 480 more, 480 of them stopped: pulumi stack output clones");
    expect(text).not.toContain("ssh ");
    expect(lines(text).length).toBeLessThan(40);
  });

  it("offers no login to an address that nobody knows, but to the first clone that has one", () => {
    expect(summary([noble], { web: clones(2, { address: "dhcp" }) }, "ubuntu")).not.toContain("ssh ");
    const sets = { web: clones(1, { address: "dhcp" }), db: clones(1, { address: "10.0.0.9" }) };
    expect(summary([noble], sets, "")).toContain("  ssh 10.0.0.9");
  });

  it("does not call a plain VM a template, nor an image verified that was not", () => {
    const plain = { ...noble, isTemplate: false, image: { ...noble.image, checksum: "none" } } as TemplateInfo;
    expect(summary([plain], {}, "")).toContain("  9000  noble  pve1  VM  noble-48bbece7.qcow2 (cached, no checksum)");
  });

  it("leaves out a set without clones", () => {
    expect(summary([noble], { web: [] }, "")).not.toContain("Clones of web");
  });
});

import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";

const root = join(import.meta.dirname, "..");
const pages = ["README.md", "docs/**/*.md", "lab/README.md", "toolchain/README.md", "bench/README.md"].flatMap((glob) =>
  globSync(glob, { cwd: root }),
);
const read = (page: string) => readFileSync(join(root, page), "utf8");
const withoutCode = (text: string) => text.replace(/^ *```[\s\S]*?^ *```/gm, "").replace(/`[^`\n]*`/g, "");

/** Headings as GitHub makes anchors of them. */
const anchorsOf = (page: string) =>
  [...read(page).matchAll(/^#+ (.*)$/gm)].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, "")
      .trim()
      .replaceAll(" ", "-"),
  );

describe("the pages", () => {
  it.each(pages)("%s links to what there is", (page) => {
    const broken = [...withoutCode(read(page)).matchAll(/\]\(([^)\s]+)\)/g)].flatMap(([, link = ""]) => {
      if (/^https?:/.test(link)) return [];
      const [file = "", anchor] = link.split("#");
      const target = file === "" ? page : join(dirname(page), file);
      if (!existsSync(join(root, target))) return [link];
      return anchor === undefined || anchorsOf(target).includes(anchor) ? [] : [link];
    });
    expect(broken).toEqual([]);
  });

  it("name scripts of npm that there are", () => {
    const { scripts } = JSON.parse(read("package.json")) as { scripts: Record<string, string> };
    const named = pages.flatMap((page) =>
      [...read(page).matchAll(/\bnpm run (?:-s )?([\w:]+)/g)].map(([, script = ""]) => script),
    );
    expect([...new Set(named)].filter((script) => scripts[script] === undefined)).toEqual([]);
  });

  it("name no other Node and Pulumi than the program asks for", () => {
    const { engines, dependencies } = JSON.parse(read("package.json")) as {
      engines: { node: string };
      dependencies: Record<string, string>;
    };
    const [, node] = /\^(\d+\.\d+)/.exec(engines.node) ?? [];
    const pulumi = dependencies["@pulumi/pulumi"]?.split(".").slice(0, 2).join(".");
    expect(read("docs/by-hand.md")).toContain(`${pulumi} or newer, Node ${node} or 24`);
  });
});

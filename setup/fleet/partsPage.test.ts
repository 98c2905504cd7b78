import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { loadConfig } from "../../config/load.ts";
import { plainLines } from "./line.ts";
import { readOptions, runOf } from "./options.ts";
import { partOf } from "./part.ts";

const page = readFileSync(join(import.meta.dirname, "..", "..", "docs", "parts.md"), "utf8");
const sections: Record<string, unknown> = {
  cluster: { endpoint: "https://pve1.example.net:8006", node: "pve1" },
  templates: { noble: { vmId: 9000, image: { url: "https://x/noble.img" }, cloudInit: { user: "ubuntu" } } },
  cloneSets: { web: { template: "noble", count: 2, namePattern: "web-{n}", firstVmId: 9101 } },
};
const config = loadConfig((name) => JSON.stringify(sections[name]), Object.keys(sections), {});
const urns = ["image", "vm", "conversion"].map((part) => `urn:pulumi:home::fleet::some:Type::9000-${part}`);

/** What a command of ours becomes. */
function plain(line: string): string {
  const options = readOptions(line.split(" "));
  const run = runOf(options.command);
  const part = run ? partOf(run, options, config, urns).args : [];
  return plainLines([...options.args, ...part], {}, {}).join("\n");
}

const rows = [...page.matchAll(/^\| .* \| `(\w+[^`]*)`[^|]* \| `(pulumi [^`]*)` \|$/gm)].map(
  ([, ours = "", theirs = ""]) => [ours, theirs],
);

test("the page has a row for each stage, to run and to skip", () => {
  for (const stage of ["image", "vm", "template", "clones"])
    expect(rows.map(([ours]) => ours)).toEqual(
      expect.arrayContaining([`up --tags ${stage}`, `up --skip-tags ${stage}`]),
    );
});

test.each(rows)("docs/parts.md: %s", (ours, theirs) => {
  expect(plain(ours)).toBe(theirs);
});

import { globSync, readFileSync } from "node:fs";
import { dirname, join, normalize, sep } from "node:path";
import ts from "typescript";
import { describe, expect, it } from "vitest";

/** What each folder may import of the others; with `types` only types. Of a file that is not here its folder counts. */
const MAY_IMPORT: Record<string, Record<string, "all" | "types">> = {
  proxmox: {},
  config: { proxmox: "types" },
  fleet: { config: "all" },
  providers: { proxmox: "all", fleet: "all", config: "all", "fastStart.mjs": "all" },
  components: { providers: "all", fleet: "all", config: "all", proxmox: "types" },
  "index.ts": { "program.ts": "all", "providers/dynamic/startHost.ts": "all" },
  "program.ts": { components: "all", providers: "all", fleet: "all", config: "all", proxmox: "all" },
  "fastStart.mjs": { "nodeVersion.mjs": "all" },
  "nodeVersion.mjs": {},
  setup: { providers: "all", fleet: "all", config: "all", proxmox: "all", toolchain: "all" },
  toolchain: { "fastStart.mjs": "all", "providers/dynamic/endWithEngine.mjs": "all" },
  lab: { toolchain: "all" },
  bench: { lab: "all", test: "all", toolchain: "all" },
  docs: { config: "all" },
  "vitest.config.ts": { test: "all" },
};

/** What the tests beside the units may import more. */
const TESTS_MAY_IMPORT = { test: "all", lab: "all", toolchain: "all" } as const;

/** What is no provider, but there for all of them. */
const SHARED = ["dynamic", "run", "guest", "failure.ts", "host.ts"];

/** Which providers know others. */
const KNOWS: Record<string, readonly string[]> = {
  // It looks at beforehand what the others are going to do.
  preflight: ["image", "clone"],
  // Template and VM are the same on PVE, and what guards the one guards the other.
  conversion: ["templateVm"],
};

const PULUMI = /^@pulumi\/|^@muhlba91\/pulumi-/;
const HTTP = /^undici$|^node:https?2?$/;

interface Import {
  from: string;
  /** Path from the checkout's folder, or the name of a library; undefined: known only when it runs. */
  to: string | undefined;
  /** Only for its types: nothing is loaded. */
  types: boolean;
}

/** The imports of a file. `import { type A }` loads the module, as `import type { A }` does not. */
function importsIn(from: string, text: string): Import[] {
  const found: Import[] = [];
  const add = (to: ts.Node | undefined, types: boolean) => {
    const name = to && ts.isStringLiteralLike(to) ? to.text : undefined;
    const path = name?.startsWith(".") ? normalize(join(dirname(from), name)).replaceAll(sep, "/") : name;
    found.push({ from, to: path, types });
  };
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) {
      add(node.moduleSpecifier, node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword);
    } else if (ts.isExportDeclaration(node) && node.moduleSpecifier) add(node.moduleSpecifier, node.isTypeOnly);
    else if (ts.isImportTypeNode(node))
      add(ts.isLiteralTypeNode(node.argument) ? node.argument.literal : undefined, true);
    else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      add(node.arguments[0], false);
    }
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(from, text, ts.ScriptTarget.Latest, true));
  return found;
}

const root = join(import.meta.dirname, "..");
const isIgnored = (name: string) => name === "node_modules" || (name.startsWith(".") && name.length > 1);
const files = globSync("**/*.{ts,mjs}", { cwd: root, exclude: isIgnored }).map((file) => file.replaceAll(sep, "/"));
const imports = files.flatMap((file) => importsIn(file, readFileSync(join(root, file), "utf8")));

const isTest = (file: string) => file.endsWith(".test.ts");
const isOwn = (path: string) => files.includes(path);
const folderOf = (path: string) => path.split("/")[0] ?? "";
const described = ({ from, to, types }: Import) => `${from} imports ${types ? "types of " : ""}${to}`;

it("every way to import is seen", () => {
  const text = `
    import "./effect.mjs";
    import { a } from "../fleet/a.ts";
    import { type B } from "./b.ts";
    import type { C } from "./c.ts";
    export { d } from "./d.ts";
    export type { E } from "./e.ts";
    const f = () => import("./f.ts");
    type G = import("./g.ts").G;
    const h = import(\`./\${a}\`);
    import i from "node:path";
    export const j = "import './j.ts'";`;
  expect(importsIn("config/x.ts", text).map(described)).toEqual([
    "config/x.ts imports config/effect.mjs",
    "config/x.ts imports fleet/a.ts",
    "config/x.ts imports config/b.ts",
    "config/x.ts imports types of config/c.ts",
    "config/x.ts imports config/d.ts",
    "config/x.ts imports types of config/e.ts",
    "config/x.ts imports config/f.ts",
    "config/x.ts imports types of config/g.ts",
    "config/x.ts imports undefined",
    "config/x.ts imports node:path",
  ]);
});

it("what is imported can be read in the code, but for what the state names, or the program that a host runs for", () => {
  const unknown = imports.filter(({ to }) => to === undefined).map(({ from }) => from);
  expect(unknown.sort()).toEqual([
    "providers/dynamic/host.ts",
    "toolchain/hosts/dynamic.mjs",
    "toolchain/hosts/fixture/index.ts",
  ]);
});

describe("imports run one way", () => {
  it("every folder has its place", () => {
    const folders = new Set(files.filter((file) => !isTest(file) && folderOf(file) !== "test").map(folderOf));
    expect([...folders].sort()).toEqual(Object.keys(MAY_IMPORT).sort());
  });

  it.each(Object.entries(MAY_IMPORT))("%s", (folder, own) => {
    const wrong = imports.filter(({ from, to, types }) => {
      if (folderOf(from) !== folder || to === undefined || !isOwn(to) || folderOf(to) === folder) return false;
      const allowed: Record<string, "all" | "types"> = { ...own, ...(isTest(from) && TESTS_MAY_IMPORT) };
      const kind = allowed[to] ?? allowed[folderOf(to)];
      return kind === undefined || (kind === "types" && !types);
    });
    expect(wrong.map(described)).toEqual([]);
  });

  it("nothing but tests imports a test", () => {
    expect(imports.filter(({ from, to }) => to && isTest(to) && !isTest(from)).map(described)).toEqual([]);
  });

  it("one provider knows no other", () => {
    const partOf = (path: string) => path.split("/")[1] ?? "";
    const wrong = imports.filter(({ from, to }) => {
      if (folderOf(from) !== "providers" || to === undefined || folderOf(to) !== "providers") return false;
      const [one, other] = [partOf(from), partOf(to)];
      return one !== other && !SHARED.includes(other) && !KNOWS[one]?.includes(other);
    });
    expect(wrong.map(described)).toEqual([]);
  });
});

describe("what is loaded", () => {
  /** All that a file loads, and what that loads; libraries by their name. */
  function loadedBy(file: string, seen = new Set<string>()): Set<string> {
    for (const { from, to, types } of imports) {
      if (from !== file || types || to === undefined || seen.has(to)) continue;
      seen.add(to);
      if (isOwn(to)) loadedBy(to, seen);
    }
    return seen;
  }
  const program = (folder: string) => files.filter((file) => !isTest(file) && folderOf(file) === folder);

  it.each([
    ["fleet", "neither Pulumi nor HTTP", [PULUMI, HTTP]],
    ["proxmox", "no Pulumi", [PULUMI]],
  ])("%s needs %s", (folder, _what, unwanted) => {
    const wrong = program(folder).flatMap((file) =>
      [...loadedBy(file)]
        .filter((name) => unwanted.some((pattern) => pattern.test(name)))
        .map((name) => `${file} loads ${name}`),
    );
    expect(wrong).toEqual([]);
  });

  it("HTTP is spoken to the cluster by proxmox, to an image's mirror, and to where Pulumi's releases are", () => {
    const others = ["providers/image/checksumList.ts", "toolchain/download.ts"];
    const users = imports.filter(
      ({ from, to, types }) => HTTP.test(to ?? "") && !types && !isTest(from) && !others.includes(from),
    );
    const folders = users
      .map(({ from }) => folderOf(from))
      .filter((folder) => !["lab", "bench", "test"].includes(folder));
    expect([...new Set(folders)]).toEqual(["proxmox"]);
  });
});

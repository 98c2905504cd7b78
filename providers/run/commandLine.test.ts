import { spawn } from "node:child_process";
import { once } from "node:events";
import { describe, expect, it } from "vitest";
import { findInvocation, invocationOf, processEntry } from "./commandLine.ts";

const targets = (line: string, env: NodeJS.ProcessEnv = {}) => invocationOf(line.split(" "), env)?.selection.targets;
const excludes = (line: string, env: NodeJS.ProcessEnv = {}) => invocationOf(line.split(" "), env)?.selection.excludes;

describe("the command line of the CLI", () => {
  it.each([
    "up --target **::a --target **::b",
    "up --target=**::a --target=**::b",
    "up -t **::a -t **::b",
    "up -t=**::a -t**::b",
    "up -yt **::a -fyt=**::b",
    "up -t **::a --target-replace **::b",
    "-C dir up --target **::a --yes --target **::b",
    "--cwd=dir --color never up --target **::a -p 4 --target **::b",
    "up -rt **::a --refresh -t **::b",
    "up --stack test --message up -t **::a --parallel 4 --target **::b",
  ])("%s", (line) => {
    expect(targets(line)).toEqual(["**::a", "**::b"]);
  });

  it.each([
    "up --message --target=**::a",
    "up -m -t**::a",
    "up -c --target=**::a",
    "up --config-file --target=**::a",
    "up -- --target **::a",
    "up --replace **::a",
    // The engine refuses what is neither a URN nor a glob.
    "up --target a",
  ])("%s has no targets", (line) => {
    expect(targets(line)).toEqual([]);
  });

  it("knows a URN by its beginning, and globs with $ in them", () => {
    const urn = "urn:pulumi:test::proj::golden-fleet:index:CloneSet$pulumi-nodejs:dynamic/golden-fleet:Clone::vm-9101";
    expect(targets(`up --target ${urn} -t **CloneSet$**`)).toEqual([urn, "**CloneSet$**"]);
  });

  it("knows what is left out, and whose dependents go with it", () => {
    expect(excludes("preview --exclude **::a -x **::b")).toEqual(["**::a", "**::b"]);
    expect(invocationOf(["up", "--target-dependents"], {})?.selection).toMatchObject({
      targetDependents: true,
      excludeDependents: false,
    });
    expect(invocationOf(["up", "--exclude-dependents=true", "--target-dependents=false"], {})?.selection).toMatchObject(
      { targetDependents: false, excludeDependents: true },
    );
  });

  it.each([
    ["up", "up"],
    ["update", "up"],
    ["pre", "preview"],
    ["destroy", "destroy"],
    ["dn", "destroy"],
    ["refresh", "refresh"],
    ["--stack test up", "up"],
  ])("%s is %s", (line, command) => {
    expect(invocationOf(line.split(" "), {})?.command).toBe(command);
  });

  it.each(["stack output", "version", "--help"])("%s is no run", (line) => {
    expect(invocationOf(line.split(" "), {})).toBeUndefined();
  });

  it("takes from the environment what is not among its arguments, as the CLI does", () => {
    const env = { PULUMI_OPTION_TARGET: '**::a,"**::b,c"', PULUMI_OPTION_TARGET_DEPENDENTS: "1" };
    expect(invocationOf(["up"], env)?.selection).toMatchObject({
      targets: ["**::a", "**::b,c"],
      targetDependents: true,
    });
    expect(targets("up -t **::x", env)).toEqual(["**::x"]);
    expect(excludes("up", { PULUMI_OPTION_EXCLUDE: "**::a" })).toEqual(["**::a"]);
  });
});

describe("the CLI", () => {
  const family: Record<number, { parent: number; args: string[] }> = {
    40: { parent: 30, args: ["node", "index.ts"] },
    30: { parent: 20, args: ["/opt/pulumi/pulumi-language-nodejs", "up", "--target", "**::wrong"] },
    20: { parent: 10, args: ["/opt/pulumi/pulumi", "up", "--target", "**::a"] },
    10: { parent: 1, args: ["/usr/bin/pulumi", "up", "--target", "**::outer"] },
    21: { parent: 1, args: ["bash"] },
  };
  const look = (pid: number) => family[pid];

  it("is the nearest one above", () => {
    expect(findInvocation(40, {}, look)?.selection.targets).toEqual(["**::a"]);
  });

  it("is not known where there is none, or the system does not show it", () => {
    expect(findInvocation(21, {}, look)).toBeUndefined();
    expect(findInvocation(99, {}, look)).toBeUndefined();
  });

  it("is read from the system as it was started", async () => {
    const args = ["-e", "console.log(); process.stdin.resume()", "--", "--target", "**::with blank", ""];
    const child = spawn(process.execPath, args, { stdio: ["pipe", "pipe", "ignore"] });
    try {
      await once(child.stdout, "data");
      const entry = processEntry(child.pid ?? 0);
      expect(entry?.parent).toBe(process.pid);
      if (process.platform === "linux") expect(entry?.args.slice(1)).toEqual(args);
      else expect(entry?.args).toContain("--target");
    } finally {
      child.stdin.end();
      child.kill();
    }
  });
});

it.each<[string, boolean, NodeJS.ProcessEnv?]>([
  ["up", false],
  ["up --plan plan.json", true],
  ["preview --save-plan=plan.json", true],
  ["preview", false, { PULUMI_EXPERIMENTAL: "true" }],
  ["up", true, { PULUMI_EXPERIMENTAL: "true" }],
  ["up --yes", false, { PULUMI_EXPERIMENTAL: "true" }],
  ["up -yv 3", false, { PULUMI_EXPERIMENTAL: "1" }],
  ["up -f", false, { PULUMI_EXPERIMENTAL: "true" }],
])("a run has a plan, or makes one that is followed: %s: %s", (line, hasPlan, env = {}) => {
  expect(invocationOf(line.split(" "), env)).toMatchObject({ hasPlan });
});

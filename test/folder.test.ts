import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openProject, type Project } from "./project.ts";

let project: Project;
let before: Awaited<ReturnType<Project["lab"]["control"]["state"]>>;

/** A project in a folder of this name, with one clone set of three. */
const open = (name: string) => async () => {
  project = await openProject(name);
  before = await project.lab.control.state();
};
const close = () => project?.close();

async function expectDestroyed(): Promise<void> {
  const run = await project.pulumi("destroy");
  expect([run.diagnostics, run.code]).toEqual(["", 0]);
  const after = await project.lab.control.state();
  expect([after.vms, after.volumes, after.files]).toEqual([before.vms, before.volumes, before.files]);
}

describe("a checkout in a folder whose name means something in a URL", () => {
  beforeAll(open("a #1? 100% b"));
  afterAll(close);

  it("up makes everything", async () => {
    const run = await project.pulumi("up");
    expect([run.diagnostics, run.code]).toEqual(["", 0]);
    const { vms } = await project.lab.control.state();
    for (const vmId of [9101, 9102, 9103]) expect(vms[vmId]).toMatchObject({ status: "running" });
  });

  it("a second up, refresh and preview find nothing to do", async () => {
    for (const [command, args] of [
      ["up", []],
      ["refresh", ["--expect-no-changes"]],
      ["preview", ["--expect-no-changes"]],
    ] as const) {
      const run = await project.pulumi(command, [...args]);
      expect([run.diagnostics, run.code]).toEqual(["", 0]);
      expect(run.steps.filter(({ op }) => op !== "refresh")).toEqual([]);
    }
  });

  it("destroy leaves nothing behind", expectDestroyed);
});

/** The text that was stored with every resource before Node made the URL in it. */
const OLD_TEXT = (methods: string, file: string) => `exports.handler = () => ({
  configure({ config }) {
    for (const method of ${methods}) this[method] = async (...args) =>
      (await import("file://" + encodeURI(process.cwd()) + "/providers/host.ts")).run(${file}, config, method, args);
  },
});
`;

describe("a state with the provider's text of old", () => {
  interface Stored {
    urn: string;
    inputs?: Record<string, unknown>;
    outputs?: Record<string, unknown>;
  }
  const read = async () => JSON.parse(await project.state()) as { deployment: { resources: Stored[] } };
  const isOld = (text: unknown) => String(text).includes("encodeURI");

  beforeAll(open("a 100% b"));
  afterAll(close);

  it("is made", async () => {
    expect((await project.pulumi("up")).code).toBe(0);
    const state = await read();
    const names = new Set<string>();
    for (const { urn, inputs, outputs } of state.deployment.resources) {
      const text = inputs?.__provider;
      if (typeof text !== "string") continue;
      const [, methods = ""] = /method of (\[.*?\])/.exec(text) ?? [];
      const [, file = ""] = /\.run\((".*?")/.exec(text) ?? [];
      Object.assign(inputs ?? {}, { __provider: OLD_TEXT(methods, file) });
      Object.assign(outputs ?? {}, { __provider: OLD_TEXT(methods, file) });
      names.add(urn.split("::").at(-2)?.split("$").at(-1) ?? "");
    }
    const types = ["Clone", "Image", "Preflight", "SnippetFiles", "TemplateConversion"];
    expect([...names]).toEqual(
      expect.arrayContaining(types.map((type) => `pulumi-nodejs:dynamic/golden-fleet:${type}`)),
    );
    await project.importState(JSON.stringify(state));
  });

  it("is read by refresh", async () => {
    const run = await project.pulumi("refresh", ["--skip-preview", "--expect-no-changes"]);
    expect([run.diagnostics, run.code]).toEqual(["", 0]);
    const { resources } = (await read()).deployment;
    expect(resources.filter(({ outputs }) => isOld(outputs?.__provider))).not.toEqual([]);
  });

  it("makes nothing anew, and its clones are updated", async () => {
    await project.configure(({ cloneSets }) => {
      if (cloneSets?.web) cloneSets.web.tags = ["seen"];
    });
    const run = await project.pulumi("up");
    expect([run.diagnostics, run.code]).toEqual(["", 0]);
    expect([...new Set(run.steps.map(({ op }) => op))]).toEqual(["update"]);
    const { vms } = await project.lab.control.state();
    for (const vmId of [9101, 9102, 9103]) expect(vms[vmId]?.config.tags).toContain("seen");
  });

  it("is deleted by destroy", async () => {
    const { resources } = (await read()).deployment;
    expect(resources.filter(({ outputs }) => isOld(outputs?.__provider)).length).toBeGreaterThan(0);
    await expectDestroyed();
  });
});

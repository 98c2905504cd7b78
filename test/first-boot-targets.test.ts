import { afterAll, beforeAll, expect, it } from "vitest";
import { openProject, type Project } from "./project.ts";

/** Runs of single clones whose first boot is not their template's. */

let project: Project;
const up = (...args: string[]) => project.pulumi("up", ["--skip-preview", ...args]);
const stepsOf = (run: { steps: { op: string; name: string }[] }) =>
  run.steps.map(({ op, name }) => `${op} ${name}`).filter((line) => line.includes(" vm-"));
const clone = (n: number, command: string) => ({
  name: `web-${n}`,
  vmId: 9100 + n,
  ip: "dhcp",
  cloudInit: { runCommands: [`echo ${command}`] },
});
const configure = (...clones: object[]) =>
  project.configure((config) =>
    Object.assign(config, { cloneSets: { web: { template: "noble", clones, start: false } } }),
  );

beforeAll(async () => {
  project = await openProject();
});
afterAll(() => project?.close());

it("a clone whose snippet is not there yet is told with the target that makes it", async () => {
  await configure(clone(2, "two"));
  expect((await up()).code).toBe(0);
  await configure(clone(1, "one"), clone(2, "two"), clone(3, "three"));
  const refused = await up("--target", "**::vm-9103");
  expect([refused.code === 0, refused.output]).toEqual([
    false,
    expect.stringContaining(
      "cloneSets.web.clones[2].cloudInit: the snippet with the first-boot configuration of web-3 was never made and is not part of this run; expected it among the targets: --target '**:index:CloneSnippets**'",
    ),
  ]);
  expect(refused.output).not.toContain("not specified in --target");
});

it("a clone whose snippets are all there is a target alone, whatever others lack", async () => {
  await configure(clone(1, "one"), { ...clone(2, "two"), cores: 3 }, clone(3, "three"));
  const run = await up("--target", "**::vm-9102");
  expect([run.code, stepsOf(run)], run.output).toEqual([0, ["update vm-9102"]]);
});

it("with that target, the clone is made", async () => {
  const run = await up("--target", "**::vm-9103", "--target", "**:index:CloneSnippets**");
  expect([run.code, stepsOf(run)], run.output).toEqual([0, ["create vm-9103"]]);
  const whole = await up();
  expect([whole.code, stepsOf(whole)], whole.output).toEqual([0, ["create vm-9101"]]);
});

import { afterAll, beforeAll, expect, it } from "vitest";
import { openProject, type Project } from "./project.ts";

/** What clones do not have of a template that was made elsewhere (VM 900 of the lab). */

let project: Project;
const control = () => project.lab.control;
const configOf = async (vmId: number) => (await control().vms())[vmId]?.config ?? {};
const up = () => project.pulumi("up", ["--skip-preview"]);
const clone = (change: object = {}) => ({ name: "db-1", vmId: 9301, ip: "10.0.0.31/24", ...change });
const configure = (change: object, set: object = {}) =>
  project.configure((config) =>
    Object.assign(config, {
      templates: { debian: { existing: { vmId: 900 } } },
      cloneSets: { db: { template: "debian", clones: [clone(change)], start: false, ...set } },
    }),
  );

beforeAll(async () => {
  project = await openProject();
  delete project.config.cluster.ssh;
});
afterAll(() => project?.close());

it("its protection and the addresses of its other interfaces are not copied, so its clones can be made anew and deleted", async () => {
  await control().patchConfig(900, { set: { protection: 1, ipconfig1: "ip=10.1.0.9/24" }, delete: [] });
  await configure({});
  const run = await up();
  expect(run.code, run.output).toBe(0);
  expect(Number((await configOf(9301)).protection ?? 0)).toBe(0);
  expect(await configOf(9301)).not.toHaveProperty("ipconfig1");
  expect((await project.pulumi("refresh")).changes.update).toBeUndefined();
  expect((await up()).steps).toEqual([]);
});

it("a clone that the config protects is, until it does so no more", async () => {
  await configure({ protection: true });
  expect((await up()).code).toBe(0);
  expect(Number((await configOf(9301)).protection)).toBe(1);
  await configure({});
  expect((await up()).code).toBe(0);
  expect(Number((await configOf(9301)).protection ?? 0)).toBe(0);
});

it("a clone that somebody has protected by hand stays so", async () => {
  await control().patchConfig(9301, { set: { protection: 1 }, delete: [] });
  await configure({ cores: 2 });
  expect((await up()).code).toBe(0);
  expect(await configOf(9301)).toMatchObject({ cores: 2, protection: 1 });
  await control().patchConfig(9301, { set: {}, delete: ["protection"] });
  const run = await project.pulumi("destroy");
  expect(run.code, run.output).toBe(0);
  expect(Number((await configOf(900)).protection)).toBe(1);
});

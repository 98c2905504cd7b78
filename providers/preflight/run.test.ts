import { expect, test } from "vitest";
import { ApiError } from "../../proxmox/errors.ts";
import { fakeFacts } from "./fakeFacts.ts";
import { type Check, fail, NotAsked, note, pass, warn } from "./finding.ts";
import { failureReport, hasFailed, remarks, summaryText } from "./report.ts";
import { configResults, runChecks } from "./run.ts";

const check = (id: string, run: Check["run"], group: Check["group"] = "resources"): Check => ({ id, group, run });
const statuses = async (...checks: Check[]) =>
  (await runChecks(checks, fakeFacts())).map(
    ({ id, findings }) => `${id}: ${findings.map((one) => `${one.status} ${one.message}`)}`,
  );

test("a check that throws has failed, the others still run", async () => {
  const results = statuses(
    check("a", () => Promise.reject(new TypeError("undefined is not a function"))),
    check("b", async () => [pass("fine")]),
  );
  expect(await results).toEqual(["a: fail this could not be checked: undefined is not a function", "b: pass fine"]);
});

test("an error that several checks meet is reported by the first", async () => {
  const error = new Error("no answer");
  const results = statuses(
    check("a", () => Promise.reject(error)),
    check("b", () => Promise.reject(error)),
    check("c", async () => [fail("that is it", { cause: error })]),
  );
  expect(await results).toEqual(["a: skip see c", "b: skip see c", "c: fail that is it"]);
  expect(
    await statuses(
      check("a", () => Promise.reject(error)),
      check("b", () => Promise.reject(error)),
    ),
  ).toEqual(["a: fail this could not be checked: no answer", "b: skip see a"]);
});

test("what cannot or may not be asked is skipped", async () => {
  const results = statuses(
    check("a", () => Promise.reject(new NotAsked("there is no node pve9, see node-exists"))),
    check("b", () =>
      Promise.reject(new ApiError("GET /cluster/status", 403, "Permission check failed (/, Sys.Audit)")),
    ),
  );
  expect(await results).toEqual([
    "a: skip there is no node pve9, see node-exists",
    "b: skip PVE does not show this to the login (Permission check failed (/, Sys.Audit)); see privileges",
  ]);
});

test("the report has all problems by group, with place and way out", async () => {
  const results = await runChecks(
    [
      check(
        "vmid-free",
        async () => [fail("VMID 100 is taken", { path: "templates.noble.vmId", todo: ["Choose another."] })],
        "configuration",
      ),
      check("quorum", async () => [fail("no quorum")], "environment"),
      check("space", async () => [warn("little room", { path: "cluster.datastores.disks" })]),
      check("bridge", () => Promise.reject(new NotAsked("node pve2 is offline, see node-online"))),
      check("pool", () => Promise.reject(new NotAsked("node pve2 is offline, see node-online"))),
      check("fine", async () => [pass("fine")]),
    ],
    fakeFacts(),
  );
  expect(hasFailed(results)).toBe(true);
  expect(failureReport(results)).toBe(
    [
      "preflight found 2 problems and 1 warning; nothing was changed",
      "",
      "environment",
      "  FAIL quorum: no quorum",
      "",
      "resources",
      "  warn space: cluster.datastores.disks: little room",
      "",
      "configuration",
      "  FAIL vmid-free: templates.noble.vmId: VMID 100 is taken",
      "         -> Choose another.",
      "",
      "not checked",
      "  bridge, pool: node pve2 is offline, see node-online",
      "",
      "docs/preflight.md explains every check.",
    ].join("\n"),
  );
});

test("a thousand problems of one kind are shortened", async () => {
  const many = Array.from({ length: 1000 }, (_, index) => fail(`VMID ${index} is taken`));
  const report = failureReport(await runChecks([check("vmid-free", async () => many)], fakeFacts()));
  expect(report.split("\n").length).toBeLessThan(30);
  expect(report).toContain("preflight found 1000 problems;");
  expect(report).toContain("vmid-free: and 980 more like these");
});

test("what should be known though nothing is wrong", async () => {
  const results = await runChecks(
    [
      check("a", async () => [pass("fine")]),
      check("b", async () => [warn("little room", { path: "cluster.datastores.disks" })]),
      check("c", () => Promise.reject(new NotAsked("may not be seen"))),
      check("d", async () => []),
      check("e", async () => [note("9101 moves")]),
    ],
    fakeFacts(),
  );
  expect(hasFailed(results)).toBe(false);
  expect(summaryText(results)).toBe("3 checks passed, 1 warning, 1 not done");
  expect(remarks(results)).toEqual({
    warnings: ["b: cluster.datastores.disks: little room", "c: may not be seen"],
    notes: ["e: 9101 moves"],
  });
});

test("without cluster or login the cluster is not asked, and that is said", () => {
  const problems = [{ path: "cluster.endpoint", message: "missing" }];
  const results = configResults({ problems, warnings: [], templates: {}, existing: {}, cloneSets: {}, leftOut: {} });
  const report = failureReport(results);
  expect(report).toContain("  FAIL config: cluster.endpoint: missing");
  expect(report).toContain("the cluster was not asked");
});

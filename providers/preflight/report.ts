import { type Finding, GROUPS, type Status } from "./finding.ts";
import type { Result } from "./run.ts";

/** Most lines that are shown of one check: a thousand clones can be wrong in the same way. */
const SHOWN = 20;

const SIGNS: Record<Status, string> = { pass: "ok", fail: "FAIL", warn: "warn", note: "note", skip: "skip" };

const count = (number: number, word: string) => `${number} ${word}${number === 1 ? "" : "s"}`;

const findingsOf = (results: readonly Result[], status: Status): Finding[] =>
  results.flatMap(({ findings }) => findings.filter((one) => one.status === status));

export const hasFailed = (results: readonly Result[]): boolean => findingsOf(results, "fail").length > 0;

/** One finding as a line, with what to do below it. */
export function findingText(id: string, { status, path, message, todo = [] }: Finding, indent = "  "): string {
  const [first = "", ...more] = message.split("\n");
  const lines = [...more, ...todo.map((line) => `-> ${line}`)].map((line) => `${indent}       ${line}`);
  return [`${indent}${SIGNS[status].padEnd(4)} ${id}: ${path ? `${path}: ` : ""}${first}`, ...lines].join("\n");
}

function checkText({ id, findings }: Result, statuses: readonly Status[]): string[] {
  const wanted = findings.filter(({ status }) => statuses.includes(status));
  const lines = wanted.slice(0, SHOWN).map((finding) => findingText(id, finding));
  return wanted.length > SHOWN ? [...lines, `  ...  ${id}: and ${wanted.length - SHOWN} more like these`] : lines;
}

/** What could not be looked at, one line for each reason. */
function skippedLines(results: readonly Result[]): string[] {
  const byReason = new Map<string, string[]>();
  for (const { id, findings } of results) {
    for (const { status, message } of findings)
      if (status === "skip") byReason.set(message, [...(byReason.get(message) ?? []), id]);
  }
  return [...byReason].map(([reason, ids]) => `${[...new Set(ids)].join(", ")}: ${reason}`);
}

/** The whole report of a preflight that failed: everything that is wrong, by group. */
export function failureReport(results: readonly Result[]): string {
  const failed = findingsOf(results, "fail").length;
  const warned = findingsOf(results, "warn").length;
  const head = `preflight found ${count(failed, "problem")}${warned > 0 ? ` and ${count(warned, "warning")}` : ""}; nothing was changed`;
  const groups = GROUPS.flatMap((group) => {
    const lines = results
      .filter((result) => result.group === group)
      .flatMap((result) => checkText(result, ["fail", "warn"]));
    return lines.length > 0 ? ["", group, ...lines] : [];
  });
  const skipped = skippedLines(results);
  const rest = skipped.length > 0 ? ["", "not checked", ...skipped.map((line) => `  ${line}`)] : [];
  return [head, ...groups, ...rest, "", "docs/preflight.md explains every check."].join("\n");
}

/** All that was looked at, by group, with what was found. */
export function wholeReport(results: readonly Result[]): string {
  const groups = GROUPS.flatMap((group) => {
    const lines = results
      .filter((result) => result.group === group)
      .flatMap((result) => checkText(result, ["pass", "fail", "warn", "note", "skip"]));
    return lines.length > 0 ? [group, ...lines, ""] : [];
  });
  const failed = findingsOf(results, "fail").length;
  const outcome = failed > 0 ? `${count(failed, "problem")}, ${summaryText(results)}` : summaryText(results);
  return [...groups, `${outcome}; docs/preflight.md explains every check.`].join("\n");
}

/** `27 checks passed, 1 warning` */
export function summaryText(results: readonly Result[]): string {
  const passed = results.filter(
    ({ findings }) => findings.length > 0 && findings.every(({ status }) => status !== "fail" && status !== "skip"),
  ).length;
  const [warned, skipped] = [findingsOf(results, "warn").length, findingsOf(results, "skip").length];
  return [
    `${count(passed, "check")} passed`,
    ...(warned > 0 ? [count(warned, "warning")] : []),
    ...(skipped > 0 ? [`${skipped} not done`] : []),
  ].join(", ");
}

/** What a preflight that passed has to say. */
export function remarks(results: readonly Result[]): { warnings: string[]; notes: string[] } {
  const lines = (status: "warn" | "note") =>
    results.flatMap((result) => checkText(result, [status]).map((line) => line.replace(/^ *(warn|note) /, "")));
  return { warnings: [...lines("warn"), ...skippedLines(results)], notes: lines("note") };
}

import type { Spread, Summary } from "./statistics.ts";

const number = (value: number, digits: number) => value.toFixed(digits);

/** `3.4`, or `3.4 (3.1–4.0)` if the runs differ. */
function cell(spread: Spread | null, digits: number, unit = 1): string {
  if (spread === null) return "–";
  const [median, min, max] = [spread.median, spread.min, spread.max].map((value) => number(value / unit, digits));
  return min === max ? `${median}` : `${median} (${min}–${max})`;
}

const columns: readonly { title: string; of: (summary: Summary) => string }[] = [
  { title: "contender", of: ({ contender }) => contender },
  { title: "wall s", of: ({ of }) => cell(of.wallSeconds, 1) },
  { title: "CPU s", of: ({ of }) => cell(of.cpuSeconds, 1) },
  { title: "peak MiB", of: ({ of }) => cell(of.peakMemoryBytes, 0, 2 ** 20) },
  { title: "requests", of: ({ of }) => cell(of.requests, 0) },
  { title: "per clone", of: ({ of }) => cell(of.requestsPerClone, 1) },
  { title: "state bytes per clone", of: ({ of }) => cell(of.stateBytesPerClone, 0) },
  { title: "failed clones", of: ({ of }) => cell(of.failedClones, 0) },
];

const row = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;

/** One Markdown table for each phase: median, and in parentheses the least and the most of the runs. */
export function tables(summaries: readonly Summary[]): string {
  const groups = Map.groupBy(
    summaries,
    ({ conditions, clones, phase }) => `### ${conditions}, ${clones} clones: ${phase}`,
  );
  return [...groups]
    .map(([title, group]) =>
      [
        title,
        "",
        row(columns.map((column) => column.title)),
        row(columns.map((_, index) => (index === 0 ? "---" : "--:"))),
        ...group.map((summary) => row(columns.map((column) => column.of(summary)))),
        "",
      ].join("\n"),
    )
    .join("\n");
}

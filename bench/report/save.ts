import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Result } from "../result.ts";
import { chart } from "./chart.ts";
import { summarize } from "./statistics.ts";
import { tables } from "./table.ts";

/** One line per result, so that a difference of two files can be read. */
export const asJson = (results: readonly Result[]): string =>
  results.length === 0 ? "[]\n" : `[\n${results.map((result) => JSON.stringify(result)).join(",\n")}\n]\n`;

/** Writes `results.json`, `tables.md` and `chart.svg` into a folder. */
export async function save(results: readonly Result[], folder: string): Promise<void> {
  const summaries = summarize(results);
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "results.json"), asJson(results));
  await writeFile(join(folder, "tables.md"), tables(summaries));
  await writeFile(join(folder, "chart.svg"), chart(summaries));
}

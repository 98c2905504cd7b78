// node bench/report.ts FOLDER RESULTS.json...: tables and chart out of the results of several benches.

import { readFile } from "node:fs/promises";
import { save } from "./report/save.ts";
import type { Result } from "./result.ts";

const [folder, ...files] = process.argv.slice(2);
if (folder === undefined || files.length === 0) {
  process.stderr.write("usage: node bench/report.ts FOLDER RESULTS.json...\n");
  process.exit(1);
}
const results = await Promise.all(files.map(async (file) => JSON.parse(await readFile(file, "utf8")) as Result[]));
await save(results.flat(), folder);

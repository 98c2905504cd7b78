// npm run bench: the same work by this program and by what a user would pick instead, measured side by side.

import { join } from "node:path";
import { ensureToolchain } from "../toolchain/install.ts";
import { interruptible } from "../toolchain/interrupt.ts";
import { contenders } from "./contenders/all.ts";
import { parseOptions, UsageError, usage } from "./options.ts";
import { NotInstalledError } from "./peers/missing.ts";
import { asJson, save } from "./report/save.ts";
import { summarize } from "./report/statistics.ts";
import { tables } from "./report/table.ts";
import type { Result } from "./result.ts";
import { measure } from "./session.ts";

const say = (line: string) => process.stderr.write(`${line}\n`);

/** `fetch failed` alone says nothing: its cause does. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message;
}

async function bench(signal: AbortSignal): Promise<void> {
  const names = contenders.map(({ name }) => name);
  const options = parseOptions(process.argv.slice(2), names, join(import.meta.dirname, "results"));
  const chosen = contenders.filter(({ name }) => options.contenders.includes(name));
  for (const { available } of chosen) await available();
  await ensureToolchain();
  const { phases } = options;
  const results: Result[] = [];
  const failures: string[] = [];
  for (const conditions of options.conditions) {
    for (const clones of options.clones) {
      // In turn, so that whatever else this machine does hits all of them alike.
      for (let run = 1; run <= options.runs; run++) {
        for (const contender of chosen) {
          const title = `${contender.name}: ${clones} clones, ${conditions}, run ${run} of ${options.runs}`;
          say(title);
          const failure = (text: string) => {
            failures.push(`${title}: ${text.split("\n", 1)[0]}`);
            say(`  NOT MEASURED: ${text}`);
          };
          try {
            await measure({ contender, clones, conditions, phases, run }, { results, failure, say }, signal);
          } catch (error) {
            // The others go on: what they do is worth knowing all the same.
            if (!signal.aborted) failure(reasonOf(error));
          }
          // After each, so that a long bench that is stopped has not been for nothing.
          await save(results, options.out);
          signal.throwIfAborted();
        }
      }
    }
  }
  say(`saved in ${options.out}: results.json, tables.md, chart.svg`);
  process.stdout.write(options.json ? asJson(results) : `\n${tables(summarize(results))}`);
  if (failures.length === 0) return;
  say(["\nNOT MEASURED:", ...failures].join("\n  "));
  process.exitCode = 1;
}

try {
  if (process.argv.includes("--help")) process.stdout.write(`${usage}\n`);
  else await interruptible(bench);
} catch (error) {
  if (error instanceof NotInstalledError) {
    say(`${error.message}\nOr leave it out: npm run bench -- --contenders ours`);
  } else if (error instanceof UsageError) {
    say(error.message);
  } else {
    say(error instanceof Error && error.name !== "AbortError" ? (error.stack ?? error.message) : "interrupted");
  }
  process.exitCode = 1;
}

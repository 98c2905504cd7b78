// npm run bench: the same work by this program and by what a user would pick instead, measured side by side.

import { join } from "node:path";
import { ensureToolchain } from "../toolchain/install.ts";
import { interruptible } from "../toolchain/interrupt.ts";
import { contenders } from "./contenders/all.ts";
import { parseOptions, UsageError } from "./options.ts";
import { NotInstalledError } from "./peers/missing.ts";
import { asJson, save } from "./report/save.ts";
import { summarize } from "./report/statistics.ts";
import { tables } from "./report/table.ts";
import type { Result } from "./result.ts";
import { measure } from "./session.ts";

const say = (line: string) => process.stderr.write(`${line}\n`);

async function bench(signal: AbortSignal): Promise<void> {
  const names = contenders.map(({ name }) => name);
  const options = parseOptions(process.argv.slice(2), names, join(import.meta.dirname, "results"));
  const chosen = contenders.filter(({ name }) => options.contenders.includes(name));
  for (const { available } of chosen) await available();
  await ensureToolchain();
  const results: Result[] = [];
  for (const conditions of options.conditions) {
    for (const clones of options.clones) {
      // In turn, so that whatever else this machine does hits all of them alike.
      for (let run = 1; run <= options.runs; run++) {
        for (const contender of chosen) {
          say(`${contender.name}: ${clones} clones, ${conditions}, run ${run} of ${options.runs}`);
          try {
            results.push(...(await measure({ contender, clones, conditions, run }, say, signal)));
          } catch (error) {
            signal.throwIfAborted();
            // The others go on: what they do is worth knowing all the same.
            say(`  NOT MEASURED: ${error instanceof Error ? error.message : error}`);
            process.exitCode = 1;
          }
          // After each, so that a long bench that is stopped has not been for nothing.
          await save(results, options.out);
        }
      }
    }
  }
  say(`saved in ${options.out}: results.json, tables.md, chart.svg`);
  process.stdout.write(options.json ? asJson(results) : `\n${tables(summarize(results))}`);
}

try {
  await interruptible(bench);
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

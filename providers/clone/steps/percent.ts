/** The percentage in a line of a task's log: `transferred 1.0 GiB of 8.0 GiB (12.50%)`. */
export function percentOf(line: string): number | undefined {
  const [, percent] = /\((\d+)\.\d+%\)/.exec(line) ?? [];
  return percent === undefined ? undefined : Number(percent);
}

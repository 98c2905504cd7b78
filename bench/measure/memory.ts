import { readdirSync, readFileSync } from "node:fs";

/**
 * How often memory is looked at. Each look costs about a millisecond per process, which the contenders would miss if it
 * were done all the time; a peak shorter than this may be missed.
 */
const everyMs = 250;

function read(file: string): string {
  try {
    return readFileSync(file, "latin1");
  } catch {
    return ""; // The process has ended.
  }
}

/** Process ids by their parent's. */
function childrenByParent(): Map<number, number[]> {
  const children = new Map<number, number[]>();
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const stat = read(`/proc/${name}/stat`);
    // The second field is the name in parentheses, which may hold anything; the fourth is the parent.
    const parent = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
    children.set(parent, [...(children.get(parent) ?? []), Number(name)]);
  }
  return children;
}

/** All processes below one, itself left out. */
export function descendants(pid: number): number[] {
  const children = childrenByParent();
  const found: number[] = [];
  for (let generation = children.get(pid) ?? []; generation.length > 0; ) {
    found.push(...generation);
    generation = generation.flatMap((one) => children.get(one) ?? []);
  }
  return found;
}

/**
 * Memory of one process in bytes: its own, and its share of what it has in common with others (PSS), so that a sum over
 * processes counts nothing twice. Forks and several Node processes have much in common.
 */
export function memoryOf(pid: number): number {
  const kibibytes = /^Pss:\s+(\d+) kB/m.exec(read(`/proc/${pid}/smaps_rollup`))?.[1];
  return Number(kibibytes ?? 0) * 1024;
}

/** Watches all processes below one; the function that is returned ends it and gives the peak of their sum in bytes. */
export function watchMemory(pid: number): () => number {
  let peak = 0;
  const look = () => {
    const sum = descendants(pid).reduce((bytes, one) => bytes + memoryOf(one), 0);
    peak = Math.max(peak, sum);
  };
  const timer = setInterval(look, everyMs);
  return () => {
    clearInterval(timer);
    return peak;
  };
}

/** CPU time in seconds that a process has used itself. */
export function cpuSecondsOf(pid: number): number {
  const stat = read(`/proc/${pid}/stat`);
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  // USER_HZ is 100 wherever Linux runs today.
  return (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) / 100;
}

// node bench/clones.ts [count]: clones of one template with the real engine against a lab of its own; prints what they cost.

import { openProject, type Project, type Run } from "../test/project.ts";

const count = Number(process.argv[2] ?? 20);

/** What kind of request it is, with the numbers taken out. */
function kindOf(method: string, path: string): string {
  if (path.includes("/tasks/")) return "task polls";
  return `${method} ${path.replace(/\/nodes\/[^/]+/, "/nodes/…").replace(/\/\d+(?=\/|$)/, "/…")}`;
}

/** Requests of this program, the plugin's left out, that have to do with a clone. */
async function requestsPerClone(project: Project): Promise<Map<string, number>> {
  const { api } = await project.lab.control.requests();
  const kinds = new Map<string, number>();
  for (const { method, path, agent } of api) {
    const vmId = /\/qemu\/(\d+)/.exec(path)?.[1] ?? "";
    const ofClone =
      Number(vmId) > 9000 || (method === "POST" && path.endsWith("/clone")) || /qmclone|qmstart/.test(path);
    if (!ofClone || /terraform|bpg|Go-http/i.test(agent)) continue;
    const kind = kindOf(method, path);
    kinds.set(kind, (kinds.get(kind) ?? 0) + 1 / count);
  }
  return kinds;
}

/** Bytes of the checkpoint's JSON, without white space. */
async function stateBytes(project: Project): Promise<number> {
  const { deployment } = JSON.parse(await project.state()) as { deployment: { resources: { type: string }[] } };
  const clones = deployment.resources.filter(({ type }) => type.endsWith(":Clone"));
  return clones.reduce((sum, clone) => sum + JSON.stringify(clone).length, 0) / clones.length;
}

async function timed(name: string, work: () => Promise<Run>): Promise<void> {
  const from = performance.now();
  const run = await work();
  if (run.code !== 0) throw new Error(run.output);
  console.log(`${name.padEnd(12)} ${((performance.now() - from) / 1000).toFixed(1)} s`);
}

const project = await openProject();
try {
  await project.configure((config) => {
    config.cloneSets = {};
  });
  await timed("template", () => project.pulumi("up"));
  await project.configure((config) => {
    const last = 10 + count;
    config.cloneSets = {
      web: {
        template: "noble",
        count,
        namePattern: "web-{n}",
        firstVmId: 9101,
        ipRange: `10.1.0.11-10.1.${Math.floor(last / 256)}.${last % 256}/16`,
        gateway: "10.1.0.1",
      },
    };
  });
  await project.lab.control.clearRequests();
  await timed("up", () => project.pulumi("up"));
  const kinds = await requestsPerClone(project);
  await timed("second up", () => project.pulumi("up"));
  await timed("preview", () => project.pulumi("preview"));
  const bytes = await stateBytes(project);
  await timed("destroy", () => project.pulumi("destroy"));
  console.log(`\n${count} clones; state per clone: ${(bytes / 1000).toFixed(1)} kB; requests per clone:`);
  for (const [kind, times] of [...kinds].sort(([, a], [, b]) => b - a)) console.log(`  ${times.toFixed(2)}  ${kind}`);
  const sum = [...kinds.values()].reduce((total, times) => total + times, 0);
  console.log(`  ${sum.toFixed(2)}  in all, ${(sum - (kinds.get("task polls") ?? 0)).toFixed(2)} without polls`);
} finally {
  await project.close();
}

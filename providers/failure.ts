import { ApiError, ConnectionError, ProxmoxError, TaskError } from "../proxmox/errors.ts";

/** Where and at what something failed. */
export interface Where {
  /** What was being done, for example `download the image`. */
  stage: string;
  node: string;
  vmId?: number;
  datastore?: string;
  /** What to do next, where we know better than the defaults below. */
  next?: string;
}

const AGAIN = "Run `pulumi up` again when the cause is mended: it goes on where it stopped.";

const HINTS: readonly [RegExp, string][] = [
  [
    /permission|privilege|403/i,
    "Run `pulumi preview`: preflight lists the missing privileges with the pveum lines that grant them.",
  ],
  [
    /no quorum/i,
    "The cluster has lost quorum and is read-only; bring the nodes back (`pvecm status`) and run `pulumi up` again.",
  ],
  [
    /can't lock file|got (lock request )?timeout/i,
    "Something else holds the lock (a backup, a clone, a migration); run `pulumi up` again when it is done.",
  ],
  [
    /is locked/i,
    "See the task that holds the lock in the PVE task list; `qm unlock <VMID>` on the node removes the lock of a task that died.",
  ],
  [
    /no space|not enough free space|out of space|free space in thin pool/i,
    "Make room on the datastore, or name another one in the config, and run `pulumi up` again.",
  ],
];

/** What is known to help against an error. */
function hint(error: unknown): string | undefined {
  if (error instanceof ConnectionError && error.code !== "tls") return "Check endpoint and network.";
  if (error instanceof ApiError && error.status === 401)
    return "Check apiToken (or username and password) in the stack config.";
  const text = error instanceof Error ? error.message : String(error);
  return HINTS.find(([pattern]) => pattern.test(text))?.[1];
}

/** A failure with all that a person needs: what was tried, where, what PVE answered, the task log's end, what to do. */
export function failure(error: unknown, { stage, node, vmId, datastore, next }: Where): ProxmoxError {
  const place = [`node ${node}`, vmId && `VM ${vmId}`, datastore && `datastore ${datastore}`]
    .filter(Boolean)
    .join(", ");
  const text = error instanceof Error ? error.message : String(error);
  const log =
    error instanceof TaskError && error.log.length > 0 ? [`  task log: ${error.log.join("\n            ")}`] : [];
  const known = hint(error);
  const usual = known?.includes("`pulumi up`") ? [known] : [...(known ? [known] : []), AGAIN];
  const todo = next ? [next] : usual;
  const lines = [`could not ${stage} (${place})`, `  ${text}`, ...log, ...todo.map((line) => `  ${line}`)];
  return new ProxmoxError(error instanceof ProxmoxError ? error.code : "failed", lines.join("\n"), { cause: error });
}

/** Runs a stage; an error comes out with its place. A failure that has one already is passed on. */
export async function stage<T>(where: Where, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw error instanceof ProxmoxError && error.message.startsWith("could not ") ? error : failure(error, where);
  }
}

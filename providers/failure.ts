import { ApiError, ConnectionError, ProxmoxError, TaskError } from "../proxmox/errors.ts";
import { isUnreachable } from "../proxmox/guests.ts";

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

/** What is known to help, by the words of PVE. */
const HINTS: readonly [RegExp, string][] = [
  [
    /permission|privilege/i,
    "Run `pulumi preview`: preflight lists the missing privileges with the pveum lines that grant them.",
  ],
  [
    /move a disk with snapshots|snapshot exists/i,
    "PVE moves no disk that has snapshots, and migrates none from a local datastore. See `qm listsnapshot <VMID>`, remove them with `qm delsnapshot <VMID> <name>`, and run `pulumi up` again.",
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
    /no space left|not enough free space|out of space|free space in thin pool/i,
    "Make room on the datastore, or name another one in the config, and run `pulumi up` again.",
  ],
];

/** The task that failed, if that is behind an error. */
function taskOf(error: unknown): TaskError | undefined {
  if (error instanceof TaskError) return error;
  return error instanceof Error ? taskOf(error.cause) : undefined;
}

/** What is known to help against an error. */
function hint(error: unknown, text: string): string | undefined {
  if (error instanceof ConnectionError && error.code !== "tls") return "Check endpoint and network.";
  if (error instanceof ApiError && error.status === 401)
    return "Check apiToken (or username and password) in the stack config.";
  if (error instanceof ApiError && error.status === 403) return HINTS[0]?.[1];
  if (isUnreachable(error)) return "The node does not answer; run `pulumi up` again when it is back.";
  return HINTS.find(([pattern]) => pattern.test(text))?.[1];
}

/** `command '/usr/bin/qemu-img convert -p -n …' failed: exit code 1` without the command's many arguments. */
const withoutArguments = (text: string): string =>
  text.replace(/command '(\S+) [^']*' failed/g, "command '$1 …' failed");

/** A failure with all that a person needs: what was tried, where, what PVE answered, the task log's end, what to do. */
export function failure(error: unknown, { stage, node, vmId, datastore, next }: Where): ProxmoxError {
  const place = [`node ${node}`, vmId && `VM ${vmId}`, datastore && `datastore ${datastore}`]
    .filter(Boolean)
    .join(", ");
  const said = withoutArguments(error instanceof Error ? error.message : String(error));
  const log = (taskOf(error)?.log ?? []).map(withoutArguments);
  // A task ends with what its last command returned; why, a line of its log says.
  const why = log.findLast(
    (line) => !line.startsWith("TASK ERROR") && !said.includes(line) && HINTS.some(([pattern]) => pattern.test(line)),
  );
  const text = why === undefined ? said : `${said} (${why.trim()})`;
  const logged = log.length > 0 ? [`  task log: ${log.join("\n            ")}`] : [];
  const known = hint(error, text);
  const usual = known?.includes("`pulumi up`") ? [known] : [...(known ? [known] : []), AGAIN];
  const todo = next ? [next] : usual;
  const lines = [`could not ${stage} (${place})`, `  ${text}`, ...logged, ...todo.map((line) => `  ${line}`)];
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

import { TaskError } from "../../proxmox/errors.ts";
import { isTransient } from "../../proxmox/retry.ts";

/** What went wrong with a download, as the task's end and the last lines of its log tell. */
interface Trouble {
  pattern: RegExp;
  /** Whether another try may help. */
  again: boolean;
  /** What a person can do; undefined: what is usual. */
  next?: string;
}

/** Under a file's own name there is something else: PVE says so of an existing file only. */
const BROKEN_FILE = /checksum mismatch: .*, aborting/;

/** The first that matches counts. wget's exit codes: 3 file I/O, 4 network, 5 certificate, 6 login, 8 an HTTP error. */
const TROUBLES: readonly Trouble[] = [
  {
    pattern: BROKEN_FILE,
    again: true,
  },
  {
    pattern: /checksum mismatch/,
    again: false,
    next: "The mirror's file is not the one that the checksum is of: compare both. A mirror that is just being updated is right again later.",
  },
  {
    pattern: /failed to verify file/,
    again: false,
    next: "The file is no sound image of this format: check image.url, and say what it is with image.format.",
  },
  {
    pattern: /No space left on device|exit code 3\b/,
    again: false,
    next: "Make room on the datastore, or name another one (cluster.datastores.images), and run `pulumi up` again.",
  },
  {
    pattern: /ERROR (408|425|429)|ERROR 5\d\d/,
    again: true,
    next: "The mirror is in trouble: run `pulumi up` again later, or name another mirror in image.url.",
  },
  {
    pattern: /ERROR 404|ERROR 410/,
    again: false,
    next: "The mirror does not have the file: check image.url. Mirrors remove old releases.",
  },
  {
    pattern: /ERROR 4\d\d|exit code 6\b/,
    again: false,
    next: "The mirror refuses the node: check image.url.",
  },
  {
    pattern: /cannot verify|no-check-certificate|exit code 5\b/,
    again: false,
    next: "The node does not trust the mirror's certificate: install its CA there (update-ca-certificates), or name another mirror.",
  },
  {
    pattern: /received interrupt|interrupted by signal/,
    again: false,
    next: "Somebody stopped the task on the node. Run `pulumi up` again to download the image.",
  },
  {
    pattern: /unable to resolve/,
    again: true,
    next: "The node cannot resolve the mirror's name: check its DNS (System > DNS), and image.url.",
  },
  {
    pattern: /^download failed/,
    again: true,
    next: "The node could not fetch the file: check its way to the mirror (route, firewall, Datacenter > Options > HTTP proxy).",
  },
  {
    // The worker was killed, or the node went down.
    pattern: /^unexpected status/,
    again: true,
  },
];

function troubleOf(error: unknown): Trouble | undefined {
  if (!(error instanceof TaskError)) return undefined;
  const text = [error.exitStatus, ...error.log].join("\n");
  return TROUBLES.find(({ pattern }) => pattern.test(text));
}

/** Whether the file that is there is not what its name says. */
export const isBrokenFile = (error: unknown): boolean =>
  error instanceof TaskError && BROKEN_FILE.test(error.exitStatus);

/** Whether PVE means that somebody else was faster with the same file. */
export const isThereAlready = (error: unknown): boolean =>
  error instanceof TaskError && /refusing to override existing file/.test(error.exitStatus);

/** Whether another try may help: a dropped connection, a 5xx, DNS, a timeout; never a 404, a wrong checksum, a full disk. */
export function isRecoverable(error: unknown): boolean {
  return troubleOf(error)?.again ?? isTransient(error);
}

/** What a person can do, where it is not what is usual. */
export function nextStep(error: unknown): string | undefined {
  return troubleOf(error)?.next;
}

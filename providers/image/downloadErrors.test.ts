import { expect, test } from "vitest";
import { ApiError, ConnectionError, TaskError } from "../../proxmox/errors.ts";
import { isRecoverable, nextStep } from "./downloadErrors.ts";

const ended = (exitStatus: string, ...log: string[]) =>
  new TaskError("UPID:pve1:0000:0000:0000:download:noble.qcow2:fleet@pve!golden:", exitStatus, [
    ...log,
    `TASK ERROR: ${exitStatus}`,
  ]);
const http = (status: string) => ended("download failed: exit code 8", `2026-01-01 12:00:00 ERROR ${status}.`);

test.each([
  ["a dropped connection", ended("download failed: exit code 4", "Connection closed at byte 65536. Retrying.")],
  ["a refused connection", ended("download failed: Connecting to 10.0.0.9:80... failed: Connection refused.")],
  ["a name that cannot be resolved", ended("download failed: wget: unable to resolve host address 'mirror'")],
  ["a timeout", ended("download failed: Read error (Connection timed out) in headers.")],
  ["a 503", http("503: Service Unavailable")],
  ["a 500", http("500: Internal Server Error")],
  ["too many requests", http("429: Too Many Requests")],
  ["a worker that was killed", ended("unexpected status")],
  ["a lock", ended("can't lock file '/var/lock/pve-manager/pve-storage-local' - got timeout")],
  ["a file that is not what its name says", ended("checksum mismatch: got 'a' != expect 'b', aborting")],
  ["an API that drops the connection", new ConnectionError("dropped", "closed")],
  ["a proxy that cannot reach the node", new ApiError("GET /x", 595, "no route to host")],
])("%s is worth another try", (_, error) => {
  expect(isRecoverable(error)).toBe(true);
});

test.each([
  ["a 404", http("404: Not Found"), "The mirror does not have the file: check image.url."],
  ["a 403", http("403: Forbidden"), "The mirror refuses the node: check image.url."],
  ["a wrong checksum", ended("checksum mismatch: got 'a' != expect 'b'"), "compare both"],
  [
    "a full disk",
    ended("download failed: exit code 3", "Cannot write to 'x' (No space left on device)."),
    "Make room on the datastore",
  ],
  [
    "a broken image",
    ended("failed to verify file: qemu-img: Could not open 'x': Image is not in qcow2 format"),
    "say what it is with image.format",
  ],
  [
    "a certificate",
    ended("download failed: To connect to mirror insecurely, use `--no-check-certificate'."),
    "does not trust the mirror's certificate",
  ],
  ["a task that somebody stopped", ended("received interrupt"), "Somebody stopped the task"],
])("%s is not, and the text says what to do", (_, error, next) => {
  expect(isRecoverable(error)).toBe(false);
  expect(nextStep(error)).toContain(next);
});

test("a missing privilege is not tried again", () => {
  expect(isRecoverable(new ApiError("POST /x", 403, "Permission check failed"))).toBe(false);
});

test("a number in the image's name is no answer of the mirror", () => {
  const error = ended("download failed: exit code 4", "--2026-01-01--  http://mirror/ERROR-404.img");
  expect(isRecoverable(error)).toBe(true);
});

import { describe, expect, it } from "vitest";
import { ApiError, ConnectionError, ProxmoxError, TaskError } from "../proxmox/errors.ts";
import { failure, stage } from "./failure.ts";

const where = { stage: "make web-1", node: "pve1", vmId: 9101, datastore: "local-lvm" };
const answered = (text: string, status = 500) => new ApiError("PUT /nodes/pve1/qemu/9101/config", status, text);

describe("a failure", () => {
  it("says what was tried, where, what PVE answered, the end of the task's log, and what to do", () => {
    const upid = "UPID:pve1:1:2:3:qmclone:9000:root@pam:";
    const error = new TaskError(upid, "clone failed: no space left", [
      "create linked clone",
      "TASK ERROR: no space left",
    ]);
    expect(failure(error, where).message).toBe(
      [
        "could not make web-1 (node pve1, VM 9101, datastore local-lvm)",
        "  PVE task qmclone 9000 failed: clone failed: no space left",
        "  task log: create linked clone",
        "            TASK ERROR: no space left",
        "  Make room on the datastore, or name another one in the config, and run `pulumi up` again.",
      ].join("\n"),
    );
  });

  it.each([
    [answered("Permission check failed (/vms/9101, VM.Clone)", 403), /preflight lists the missing privileges/],
    [answered("permission denied - invalid PVE ticket", 401), /Check apiToken/],
    [answered("can't lock file '/var/lock/qemu-server/lock-9101.conf' - got timeout"), /holds the lock/],
    [answered("VM is locked (backup)"), /qm unlock/],
    [answered("cfs-lock 'storage-local' error: no quorum!"), /lost quorum/],
    [new ConnectionError("refused", "pve1:8006 refused the connection"), /endpoint and network/],
    [answered("Cannot create new thin volume, free space in thin pool pve/data reached threshold."), /Make room/],
    [answered("you can't move a disk with snapshots and delete the source"), /qm delsnapshot/],
    [answered("can't migrate local disk 'x': non-migratable snapshot exists"), /qm delsnapshot/],
    [answered("something new"), /Run `pulumi up` again when the cause is mended/],
  ])("%s: says what to do", (error, todo) => {
    expect(failure(error, where).message).toMatch(todo);
  });

  it("says what its caller knows better, and keeps the code and the cause", () => {
    const cause = new ConnectionError("timeout", "pve1 did not answer in time");
    const error = failure(cause, { ...where, next: "Switch it on." });
    expect(error.message.split("\n").at(-1)).toBe("  Switch it on.");
    expect(error).toMatchObject({ code: "timeout", cause });
  });
});

it("says why a command failed, which only its log tells, and not all its arguments", () => {
  const command =
    "clone failed: copy failed: command '/usr/bin/qemu-img convert -p -n -f raw -O qcow2 /a /b' failed: exit code 1";
  const log = [
    "create full clone of drive scsi0",
    "qemu-img: error while writing: No space left on device",
    `TASK ERROR: ${command}`,
  ];
  const [, text] = failure(new TaskError("UPID:pve1:1:2:3:qmclone:9000:root@pam:", command, log), where).message.split(
    "\n",
  );
  expect(text).toBe(
    "  PVE task qmclone 9000 failed: clone failed: copy failed: command '/usr/bin/qemu-img …' failed: exit code 1 (qemu-img: error while writing: No space left on device)",
  );
});

it("does not take a number in its text for a status", () => {
  expect(failure(answered("VM 9403 has a problem"), where).message).not.toContain("privileges");
});

it("keeps the task's log when another error stands around it", () => {
  const task = new TaskError("UPID:pve1:1:2:3:qmigrate:9101:root@pam:", "migration aborted", ["scsi0: the reason"]);
  const around = new ProxmoxError("migration", "it was not migrated", { cause: task });
  expect(failure(around, where).message).toContain("task log: scsi0: the reason");
});

it("a stage within a stage is told once, by the inner one", async () => {
  const inner = stage(where, () => Promise.reject(answered("no")));
  const error: Error = await stage({ stage: "do it all", node: "pve1" }, () => inner).catch((one) => one);
  expect(error.message.match(/could not/g)).toHaveLength(1);
  expect(error.message).toContain("make web-1");
});

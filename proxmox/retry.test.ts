import { describe, expect, it, onTestFinished, vi } from "vitest";
import { ApiError, ConnectionError, TaskError } from "./errors.ts";
import { isBusy, isTransient, withRetry } from "./retry.ts";

const answered = (text: string, status = 500) => new ApiError("POST /nodes/pve1/qemu", status, text);
const ended = (text: string) => new TaskError("UPID:pve1:1:2:3:qmclone:9000:root@pam!lab:", text, []);

describe("is tried again, in PVE's own words", () => {
  it.each([
    "clone failed: can't lock file '/var/lock/pve-manager/pve-storage-data' - got timeout",
    "can't lock file '/var/lock/qemu-server/lock-115.conf' - got timeout",
    "clone failed: cfs-lock 'storage-ceph' error: got lock request timeout",
    "VM is locked (clone)",
    "VM is locked (backup)",
    "unable to acquire lock - got timeout",
  ])("%s", (text) => {
    expect(isBusy(ended(text))).toBe(true);
    expect(isBusy(answered(text))).toBe(true);
    expect(isTransient(answered(text))).toBe(true);
  });

  it("a worker that pvedaemon has lost sight of", () => {
    expect(isTransient(answered("got no worker upid - start worker failed"))).toBe(true);
    // It is not known whether anything was done.
    expect(isBusy(answered("got no worker upid - start worker failed"))).toBe(false);
  });

  it.each([502, 503, 504, 595, 596, 599])("a gateway's %i", (status) => {
    expect(isTransient(answered("", status))).toBe(true);
  });

  it.each(["dropped", "timeout", "refused", "unreachable", "dns"] as const)("a connection: %s", (code) => {
    expect(isTransient(new ConnectionError(code, ""))).toBe(true);
  });
});

describe("is a refusal, and not tried again", () => {
  it.each([
    "Permission check failed (/storage/local, Datastore.AllocateTemplate)",
    "only root can set 'args' config",
    "shrinking disks is not supported",
    "unable to create VM 110: config file already exists",
    "storage 'nosuch' does not exist",
    "Configuration file 'nodes/pve/qemu-server/555.conf' does not exist",
    "can't remove VM 112 - protection mode enabled",
    "VM 103 is running - destroy failed",
    "parameter 'storage' not allowed for linked clones",
    "clone failed: lvcreate 'pve/vm-9101-disk-0' error: insufficient free space: no space left",
    "cfs-lock 'storage-local' error: no quorum!",
    "cluster not ready - no quorum?",
    "checksum mismatch (file change by other user?)",
    "start failed: QEMU exited with code 1",
    "volume 'local:snippets/ci.yaml' does not exist",
    "unexpected status",
    // It is the guest that did not go down in time, and it would not the next time either.
    "VM quit/powerdown failed - got timeout",
  ])("%s", (text) => {
    expect(isTransient(ended(text))).toBe(false);
    expect(isTransient(answered(text))).toBe(false);
  });

  it.each([400, 401, 403, 501, 506])("status %i", (status) => {
    expect(isTransient(answered("no", status))).toBe(false);
  });

  it.each(["tls", "not-pve"] as const)("a connection: %s", (code) => {
    expect(isTransient(new ConnectionError(code, ""))).toBe(false);
  });
});

describe("withRetry", () => {
  const busy = () => answered("VM is locked (clone)");

  it("gives up after the fourth try with the last error as it is, and says each further try before it", async () => {
    const errors = [1, 2, 3, 4].map(busy);
    const told: unknown[] = [];
    let tries = 0;
    const work = withRetry(() => Promise.reject(errors[tries++]), {
      when: isTransient,
      pauseMs: 1,
      onRetry: (error, attempt, attempts) => told.push([error, attempt, attempts]),
    });
    await expect(work).rejects.toBe(errors[3]);
    expect(tries).toBe(4);
    expect(told).toEqual([1, 2, 3].map((attempt) => [errors[attempt - 1], attempt, 4]));
  });

  it("waits longer each time, with jitter, up to the longest pause", async () => {
    vi.useFakeTimers();
    onTestFinished(() => {
      vi.useRealTimers();
    });
    const at: number[] = [];
    const work = withRetry(
      async () => {
        at.push(Date.now());
        if (at.length < 6) throw busy();
      },
      { when: isTransient, retries: 5, pauseMs: 10, maxPauseMs: 40 },
    );
    await vi.runAllTimersAsync();
    await work;
    const pauses = at.slice(1).map((time, index) => time - (at[index] as number));
    // Jitter makes each up to twice as long.
    for (const [index, least] of [10, 20, 40, 40, 40].entries()) {
      expect(pauses[index]).toBeGreaterThanOrEqual(least);
      expect(pauses[index]).toBeLessThanOrEqual(Math.min(2 * least, 40) + 1);
    }
  });

  it("does not try a programming error again", async () => {
    let tries = 0;
    const work = withRetry(
      () => {
        tries++;
        return Promise.reject(new TypeError("undefined is not a function"));
      },
      { when: isTransient, pauseMs: 1 },
    );
    await expect(work).rejects.toThrow("undefined is not a function");
    expect(tries).toBe(1);
  });
});

import { describe, expect, it } from "vitest";
import { parseStatus } from "./cloudInitStatus.ts";

const json = (report: object) => parseStatus({ exited: 1, exitcode: 0, "out-data": `${JSON.stringify(report)}\n` });
const text = (out: string) => parseStatus({ exited: 1, exitcode: 0, "out-data": out });

describe("cloud-init's status", () => {
  it.each([
    [{ status: "done", extended_status: "done", errors: [], recoverable_errors: {} }, "done"],
    [{ status: "running", extended_status: "running", stage: "modules-config" }, "running"],
    [{ status: "running", extended_status: "degraded running" }, "running"],
    [{ status: "not run" }, "running"],
    [{ status: "not started" }, "running"],
    [{ status: "disabled", detail: "Cloud-init disabled by /etc/cloud/cloud-init.disabled" }, "disabled"],
    [{ status: "error", extended_status: "error - running", errors: ["x"] }, "failed"],
    [{ status: "done", extended_status: "degraded done" }, "failed"],
  ])("%j is %s", (report, state) => {
    expect(json(report)?.state).toBe(state);
  });

  it("names what it got over, when it is degraded", () => {
    const recoverable_errors = { WARNING: ["Failed at merging in cloud config part"], DEPRECATED: ["old key"] };
    expect(json({ status: "done", extended_status: "degraded done", recoverable_errors })).toEqual({
      state: "failed",
      detail: "Failed at merging in cloud config part",
    });
  });

  it("is done where the one thing to say is that a key of the user-data is deprecated", () => {
    const recoverable_errors = { DEPRECATED: ["chpasswd.list is deprecated"] };
    expect(json({ status: "done", extended_status: "degraded done", recoverable_errors })?.state).toBe("done");
  });

  it.each([
    ["status: running\ntime: Thu, 01 Jan 2026 00:00:00 +0000\ndetail:\nDataSourceNoCloud [seed=/dev/sr0]\n", "running"],
    ["status: done\ntime: Thu, 01 Jan 2026 00:00:00 +0000\ndetail:\nDataSourceNoCloud [seed=/dev/sr0]\n", "done"],
    ["status: error\ntime: Thu, 01 Jan 2026 00:00:00 +0000\ndetail:\n('ssh', KeyError())\n", "failed"],
    ["status: disabled\ndetail:\nCloud-init disabled by cloud-init-generator\n", "disabled"],
  ])("of an old version: %j is %s", (out, state) => {
    expect(text(out)?.state).toBe(state);
  });

  it("of an old version has its detail", () => {
    expect(text("status: error\ndetail:\n('ssh', KeyError())\n")?.detail).toBe("('ssh', KeyError())");
  });

  it("is nothing where it says nothing, or half of it", () => {
    expect(text("")).toBeUndefined();
    expect(text('{"status": "do')).toBeUndefined();
    expect(text("Traceback (most recent call last):")).toBeUndefined();
  });
});

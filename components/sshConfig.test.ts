import { describe, expect, it } from "vitest";
import type { CloneInfo } from "../providers/clone/cloneInfo.ts";
import { sshConfig } from "./sshConfig.ts";

const clone = (name: string, change: Partial<CloneInfo> = {}): CloneInfo => ({
  name,
  vmId: 9101,
  node: "pve1",
  status: "ready",
  address: "10.0.0.21",
  ...change,
});

describe("the SSH config", () => {
  it("has a host per clone, with the user of its set", () => {
    const sets = {
      web: { clones: [clone("web-1"), clone("web-2", { address: "2001:db8::22" })], user: "ubuntu" },
      db: { clones: [clone("db-1", { status: "stopped", address: "10.0.0.31" })] },
    };
    expect(sshConfig(sets)).toBe(
      [
        "Host web-1",
        "  HostName 10.0.0.21",
        "  User ubuntu",
        "",
        "Host web-2",
        "  HostName 2001:db8::22",
        "  User ubuntu",
        "",
        "Host db-1",
        "  HostName 10.0.0.31",
        "",
      ].join("\n"),
    );
  });

  it("reaches a host whose address nobody knows by its name", () => {
    const { address: _, ...unknown } = clone("web-1", { status: "running" });
    expect(sshConfig({ web: { clones: [unknown], user: "debian" } })).toBe("Host web-1\n  User debian\n");
  });

  it("leaves out clones that failed", () => {
    expect(sshConfig({ web: { clones: [clone("web-1", { status: "failed", error: "no space" })] } })).toBe("");
  });
});

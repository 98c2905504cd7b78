import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import type { CloneInfo } from "../providers/clone/cloneInfo.ts";
import { ansibleInventory } from "./inventory.ts";

const clone = (n: number, change: Partial<CloneInfo> = {}): CloneInfo => ({
  name: `web-${n}`,
  vmId: 9100 + n,
  node: "pve1",
  status: "ready",
  address: `10.0.0.${20 + n}`,
  ...change,
});
const groups = (text: string) => parse(text, { version: "1.1" }).all.children;

describe("the Ansible inventory", () => {
  it("has a group per set, with each host's address, VMID and node, and who logs in", () => {
    expect(ansibleInventory({ web: { clones: [clone(1), clone(2, { node: "pve2" })], user: "ubuntu" } })).toBe(
      [
        "all:",
        "  children:",
        "    web:",
        "      hosts:",
        "        web-1:",
        "          ansible_host: 10.0.0.21",
        "          proxmox_vmid: 9101",
        "          proxmox_node: pve1",
        "        web-2:",
        "          ansible_host: 10.0.0.22",
        "          proxmox_vmid: 9102",
        "          proxmox_node: pve2",
        "      vars:",
        "        ansible_user: ubuntu",
        "",
      ].join("\n"),
    );
  });

  it("sends nobody to clones that do not run, and says which they are", () => {
    const text = ansibleInventory({
      web: { clones: [clone(1), clone(2, { status: "failed", error: "no space" }), clone(3, { status: "running" })] },
      db: { clones: [clone(4, { status: "stopped" })] },
    });
    expect(text.split("\n").slice(0, 2)).toEqual(["# failed, left out: web-2", "# stopped, left out: web-4"]);
    expect(Object.keys(groups(text).web.hosts)).toEqual(["web-1", "web-3"]);
    expect(groups(text).db.hosts).toEqual({});
  });

  it("reaches a host whose address nobody knows by its name", () => {
    const { address: _, ...unknown } = clone(1, { status: "running" });
    expect(groups(ansibleInventory({ web: { clones: [unknown] } })).web.hosts).toEqual({
      "web-1": { proxmox_vmid: 9101, proxmox_node: "pve1" },
    });
  });

  it("has groups that Ansible takes, none of them two sets in one", () => {
    const text = ansibleInventory({
      "web-eu-1": { clones: [clone(1)] },
      all: { clones: [clone(2)] },
      "all-": { clones: [clone(3)] },
      ungrouped: { clones: [clone(4)] },
    });
    const hosts = Object.entries(groups(text)).map(([name, one]) => [
      name,
      ...Object.keys((one as { hosts: object }).hosts),
    ]);
    expect(hosts).toEqual([
      ["web_eu_1", "web-1"],
      ["all_", "web-2"],
      ["all__", "web-3"],
      ["ungrouped_", "web-4"],
    ]);
  });

  it("keeps names as they are that YAML would take for a number or a yes", () => {
    const clones = ["007", "1e3", "no", "on"].map((name, index) => clone(index, { name, address: "2001:db8::7" }));
    const { hosts } = groups(ansibleInventory({ web: { clones } })).web;
    expect(Object.keys(hosts).toSorted()).toEqual(["007", "1e3", "no", "on"]);
    expect(hosts.no.ansible_host).toBe("2001:db8::7");
  });

  it("of a fleet without clones is one that Ansible takes", () => {
    expect(parse(ansibleInventory({}))).toEqual({ all: { children: {} } });
  });

  it("of a thousand clones has them all, and names few of those that are missing", () => {
    const clones = Array.from({ length: 1000 }, (_, n) => clone(n, n < 300 ? { status: "stopped" } : {}));
    const text = ansibleInventory({ web: { clones } });
    expect(Object.keys(groups(text).web.hosts)).toHaveLength(700);
    expect(text.split("\n")[0]).toMatch(/^# stopped, left out: web-0, web-1, .* and 290 more$/);
  });
});

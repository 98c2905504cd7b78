import { describe, expect, it } from "vitest";
import type { CloneInfo } from "../providers/clone/cloneInfo.ts";
import { summary as summaryOf, type TemplateInfo } from "./summary.ts";

const noble = {
  name: "noble",
  vmId: 9000,
  nodeName: "pve1",
  isTemplate: true,
  image: { file: "noble-48bbece7.qcow2", origin: "cached", checksum: "sha256:48bb" },
} as TemplateInfo;

const clones = (count: number, change: Partial<CloneInfo> = {}): CloneInfo[] =>
  Array.from({ length: count }, (_, index) => ({
    name: `web-${index + 1}`,
    vmId: 9101 + index,
    node: "pve1",
    address: `10.0.${Math.floor(index / 250)}.${(index % 250) + 1}`,
    status: "ready",
    ...change,
  }));
const withoutAddress = ({ address: _, ...clone }: CloneInfo): CloneInfo => clone;

const endpoint = "https://pve1.example.net:8006";
const summary = (
  templates: TemplateInfo[],
  cloneSets: Record<string, CloneInfo[]>,
  userOf: (set: string) => string | undefined,
): string => summaryOf(templates, cloneSets, userOf, endpoint);

const lines = (text: string) => text.split("\n");

describe("the summary", () => {
  it("shows each template and clone in columns, with a link to PVE's web interface, and how to log in", () => {
    expect(lines(summary([noble], { web: clones(2) }, () => "ubuntu")).slice(0, 14)).toEqual([
      "1 template, 2 clones: 2 ready",
      "",
      "Templates",
      "  9000  noble  pve1  template  https://pve1.example.net:8006/#v1:0:=qemu%2F9000",
      "        image noble-48bbece7.qcow2 (cached, sha256 verified)",
      "",
      "Clones of web",
      "  9101  web-1  pve1  10.0.0.1  ready  https://pve1.example.net:8006/#v1:0:=qemu%2F9101",
      "  9102  web-2  pve1  10.0.0.2  ready  https://pve1.example.net:8006/#v1:0:=qemu%2F9102",
      "",
      "Next",
      "  ssh ubuntu@10.0.0.1",
      "  pulumi stack output ansibleInventory > inventory.yaml   for ansible -i inventory.yaml",
      "  pulumi stack output sshConfig > ssh_config              for ssh -F ssh_config <name>",
    ]);
  });

  it("names those whose guests may have old keys, with why", () => {
    const [good, old] = clones(2) as [CloneInfo, CloneInfo];
    const text = lines(
      summary([noble], { web: [good, { ...old, oldKeys: "its guest agent does not answer" }] }, () => "ubuntu"),
    );
    expect(text.slice(text.indexOf("Running, perhaps with old SSH keys"))).toEqual([
      "Running, perhaps with old SSH keys",
      "  web-2 (VM 9102)",
      "    its guest agent does not answer",
      "  pulumi up tries these again; until then, whoever has an old key can still log in",
    ]);
  });

  it("of an empty stack is about nothing that does not exist", () => {
    const text = summary([], {}, () => undefined);
    expect(lines(text)[0]).toBe("no templates and no clones yet");
    expect(text).not.toContain("Templates");
    expect(text).not.toContain("ssh ");
    expect(text).toContain("Pulumi.<stack>.yaml");
    expect(text).not.toContain("pulumi destroy");
  });

  it("of templates alone offers no inventory", () => {
    const text = summary([noble], {}, () => "ubuntu");
    expect(lines(text)[0]).toBe("1 template, 0 clones");
    expect(text).not.toContain("ansible");
  });

  it("of more clones than ten tells how a link is made, not each", () => {
    const text = summary([noble], { web: clones(11) }, () => "ubuntu");
    expect(text).toContain("  https://pve1.example.net:8006/#v1:0:=qemu%2F<VMID>   shows a VM and its console");
    expect(text.match(/qemu%2F/g)).toHaveLength(1);
    expect(text).toContain("  9000  noble  pve1  template  noble-48bbece7.qcow2 (cached, sha256 verified)");
  });

  it("ends with what waits for a reboot, what is not ready, what failed and why, each with what to do", () => {
    const [good, full, silent, changed] = clones(4) as [CloneInfo, CloneInfo, CloneInfo, CloneInfo];
    const error =
      "could not make web-2, a linked clone of template 9000 (node pve1, VM 9102)\n  PVE task qmclone 9000 failed: no space left\n  task log: …";
    const web = [
      good,
      { ...full, status: "failed", error },
      { ...silent, name: "web-03", status: "running", error: "after 300 s its guest agent did not answer" },
      { ...changed, pendingReboot: ["cores", "memory"] },
    ] satisfies CloneInfo[];
    const text = lines(summary([noble], { web }, () => "ubuntu"));
    expect(text[0]).toBe("1 template, 4 clones: 2 ready, 1 not ready, 1 failed");
    expect(text.slice(text.indexOf("Waiting for a reboot"))).toEqual([
      "Waiting for a reboot",
      "  web-4 (VM 9104)",
      "    cores, memory",
      "  set rebootOnChange: true for their set, or run qm reboot <VMID> on the node (a reboot from inside the guest is not enough)",
      "",
      "Running, but not ready",
      "  web-03 (VM 9103)",
      "    after 300 s its guest agent did not answer",
      "  they keep running and may still become ready; their consoles show what cloud-init is doing",
      "",
      "Failed",
      "  web-2 (VM 9102)",
      "    could not make web-2, a linked clone of template 9000 (node pve1, VM 9102)",
      "    PVE task qmclone 9000 failed: no space left",
      "  pulumi up tries only these again",
    ]);
  });

  it("says of clones that failed alike once why", () => {
    const web = clones(50).map((clone, index): CloneInfo => {
      if (index % 10 === 0) return clone;
      const what = index === 33 ? "the bridge is gone" : `PVE task qmstart ${clone.vmId} failed: no space left`;
      return {
        ...clone,
        status: "failed",
        error: `could not start ${clone.name} (node pve1, VM ${clone.vmId})\n  ${what}`,
      };
    });
    const text = lines(summary([noble], { web }, () => "ubuntu"));
    expect(text.slice(text.indexOf("Failed"))).toEqual([
      "Failed",
      "  web-2 … web-10, web-12 … web-20, web-22 … web-30, web-32, web-33, web-35 … web-40, web-42 … web-50 (44)",
      "    could not start <name> (node pve1, VM <VMID>)",
      "    PVE task qmstart <VMID> failed: no space left",
      "  web-34 (VM 9134)",
      "    could not start web-34 (node pve1, VM 9134)",
      "    the bridge is gone",
      "  pulumi up tries only these again",
    ]);
  });

  it("takes a clone that runs, and that nobody waited for, for no trouble", () => {
    const text = summary([noble], { web: clones(1, { status: "running" }) }, () => undefined);
    expect(lines(text)[0]).toBe("1 template, 1 clone: 1 running");
    expect(text).not.toContain("not ready");
  });

  it("of 1000 clones lists twenty, with those in trouble wherever they are", () => {
    const many = clones(1000);
    many[321] = { ...(many[321] as CloneInfo), status: "stopped" };
    const text = summary([noble], { web: many }, () => "ubuntu");
    expect(lines(text)[0]).toBe("1 template, 1000 clones: 999 ready, 1 stopped");
    expect(text).toContain("  … and 980 more (980 ready): pulumi stack output clones");
    expect(text).toMatch(/9422 {2}web-322 .* stopped/);
    expect(lines(text).length).toBeLessThan(40);
  });

  it("of 1000 clones that failed, or are not ready, is no longer than a page", () => {
    const failed = summary(
      [noble],
      { web: clones(1000, { status: "failed", error: "could not\n  no\n  more" }) },
      () => undefined,
    );
    expect(lines(failed)[0]).toBe("1 template, 1000 clones: 1000 failed");
    expect(failed).toContain("  web-1 … web-1000 (1000)\n    could not\n    no\n");
    expect(failed).not.toContain("ssh 10");
    expect(lines(failed).length).toBeLessThan(60);
    const unready = summary(
      [noble],
      { web: clones(1000, { status: "running", error: "no agent", pendingReboot: ["x"] }) },
      () => undefined,
    );
    expect(lines(unready).length).toBeLessThan(60);
  });

  it("offers no login to an address that nobody knows, but to the first clone that has one", () => {
    const unknown = clones(2).map(withoutAddress);
    expect(summary([noble], { web: unknown }, () => undefined)).not.toMatch(/^ {2}ssh /m);
    expect(summary([noble], { web: unknown }, () => undefined)).toContain(
      "  9101  web-1  pve1  address unknown  ready",
    );
    expect(summary([noble], { web: unknown }, () => undefined)).toContain(
      "  DHCP addresses are shown here if the set has waitFor: agent",
    );
    expect(summary([noble], { web: clones(1) }, () => undefined)).not.toContain("by DHCP");
    expect(summary([noble], { web: unknown, db: clones(1, { address: "10.0.0.9" }) }, () => undefined)).toContain(
      "  ssh 10.0.0.9",
    );
    // The user is that of the clone's own set.
    const users: Record<string, string> = { web: "ubuntu", db: "debian" };
    const both = { web: unknown, db: clones(1, { address: "10.0.0.9" }) };
    expect(summary([noble], both, (set) => users[set])).toContain("  ssh debian@10.0.0.9");
    expect(summary([noble], { web: clones(2, { status: "stopped" }) }, () => undefined)).not.toMatch(/^ {2}ssh /m);
  });

  it("does not call a plain VM a template, nor an image verified that was not", () => {
    const plain = { ...noble, isTemplate: false, image: { ...noble.image, checksum: "none" } } as TemplateInfo;
    expect(summary([plain], {}, () => undefined)).toContain(
      "  9000  noble  pve1  VM  https://pve1.example.net:8006/#v1:0:=qemu%2F9000\n        image noble-48bbece7.qcow2 (cached, no checksum)",
    );
  });

  it("leaves out a set without clones", () => {
    expect(summary([noble], { web: [] }, () => undefined)).not.toContain("Clones of web");
  });
});

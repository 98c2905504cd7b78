import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { hostKeyOf } from "../proxmox/hostKeys.ts";
import { pinnedCertificate } from "../setup/fleet/pinnedCertificate.ts";
import { openProject, type Project } from "./project.ts";

/** The proxmoxve plugin trusts the certificate and the host key that the config pins, and no others. */
describe("with tls.fingerprint and ssh.hostKey", () => {
  let project: Project;
  let checkout: string;
  const known = () => join(project.env.HOME ?? "", ".ssh", "known_hosts");
  const certificate = () => pinnedCertificate(checkout, project.lab.endpoint, project.lab.fingerprint);
  const vms = async () => Object.keys(await project.lab.control.vms());

  beforeAll(async () => {
    project = await openProject();
    checkout = mkdtempSync(join(tmpdir(), "golden-fleet-checkout-"));
    const [, key = ""] = readFileSync(project.lab.ssh.hostKeyFile, "utf8").split(" ");
    await project.configure((config) => {
      config.cluster.tls = { fingerprint: project.lab.fingerprint.toLowerCase() };
      if (config.cluster.ssh) config.cluster.ssh.hostKey = hostKeyOf(Buffer.from(key, "base64")).fingerprint;
      config.cloneSets = {};
    });
    delete project.env.SSL_CERT_FILE;
    writeFileSync(known(), "");
  });
  afterAll(async () => {
    await project?.close();
    rmSync(checkout, { recursive: true, force: true });
  });

  it("the file for the plugin holds the certificate of the fingerprint, and another one is refused with both", async () => {
    const file = await certificate();
    expect(file.startsWith(join(checkout, ".fleet"))).toBe(true);
    expect(readFileSync(file, "utf8").match(/BEGIN CERTIFICATE/g)).toHaveLength(1);
    const other = Array(32).fill("ab").join(":");
    const error = await pinnedCertificate(checkout, project.lab.endpoint, other).catch((one) => one);
    expect(error).toMatchObject({ code: "tls" });
    expect(error.message).toContain(`found ${project.lab.fingerprint} at ${project.lab.endpoint}`);
    expect(error.message).toContain(`expected ${other.toUpperCase()}`);
  });

  it("the plugin refuses a host key that is not the pinned one, even if it comes after preflight has looked", async () => {
    project.env.SSL_CERT_FILE = await certificate();
    // Only the plugin asks for one datastore, right before it connects.
    await project.lab.control.justBefore({ method: "GET", path: "/storage/local" }, "host_keys", {
      node: "pve1",
      types: ["ssh-ed25519"],
    });
    const run = await project.pulumi("up", ["--skip-preview"]);
    expect(run.code).not.toBe(0);
    expect(run.diagnostics).toContain("REMOTE HOST IDENTIFICATION HAS CHANGED");
    const { files } = await project.lab.control.state();
    expect(Object.keys(files).filter((name) => name.includes("snippets"))).toEqual([]);
    expect(readFileSync(known(), "utf8").trim().split("\n")).toHaveLength(1);
    await project.lab.control.clearFaults();
  });

  it("a run goes through with that file and an empty known_hosts, and nothing else that would vouch for the cluster", async () => {
    writeFileSync(known(), "");
    const run = await project.pulumi("up", ["--skip-preview"]);
    expect([run.diagnostics, run.code]).toEqual(["", 0]);
    expect(run.output).toContain("the host key of pve1 is the pinned one");
    expect(await vms()).toContain("9000");
    const [, ...key] = readFileSync(known(), "utf8").trim().split(" ");
    expect(key).toEqual(readFileSync(project.lab.ssh.hostKeyFile, "utf8").trim().split(" ").slice(0, 2));
  });

  it("the plugin refuses a certificate that has changed, though the same CA has signed it, and preflight says so", async () => {
    const found = await project.lab.control.certificate(["127.0.0.1", "localhost"]);
    const refresh = await project.pulumi("refresh", ["--target", "**VmLegacy::**"]);
    expect(refresh.code).not.toBe(0);
    expect(refresh.diagnostics).toContain("x509: certificate signed by unknown authority");
    const preview = await project.pulumi("preview");
    expect(preview.code).not.toBe(0);
    expect(preview.diagnostics).toContain(
      `the certificate of ${new URL(project.lab.endpoint).host} has the fingerprint ${found}, the config says`,
    );
    await expect(certificate()).rejects.toMatchObject({ code: "tls" });
  });
});

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { getCACertificates } from "node:tls";
import ssh2 from "ssh2";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { markText } from "../fleet/ownership.ts";
import { templateContent } from "../fleet/templateContent.ts";
import { type Lab, startLab } from "../lab/lab.ts";
import { linkedTo } from "../providers/guest/linkedTo.ts";
import { type PreflightInputs, provider, preflight as runPreflight } from "../providers/preflight/provider.ts";
import { remarks } from "../providers/preflight/report.ts";
import { readStackConfig } from "../providers/run/connect.ts";
import { PveClient } from "../proxmox/client.ts";
import { hostKeyOf } from "../proxmox/hostKeys.ts";
import { waitForTask } from "../proxmox/task.ts";
import { runCommand } from "../toolchain/command.ts";
import { keyPair } from "./keyPair.ts";
import { clientOf } from "./provider.ts";

/** Drives preflight against the lab without the engine: every failure that the lab can be made to show. */

let lab: Lab;
let folder: string;
const saved = { ...process.env };

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "golden-fleet-preflight-"));
  lab = await startLab({ dir: join(folder, "lab"), ports: "free", timeScale: 0 });
  // A home folder of its own: the known hosts of this machine are nobody's business here.
  mkdirSync(join(folder, "home", ".ssh"), { recursive: true });
  process.env.HOME = join(folder, "home");
  delete process.env.PROXMOX_VE_API_TOKEN;
  // Node reads the system's CAs once: here without the lab's, which a test may then trust or not.
  delete process.env.SSL_CERT_FILE;
  getCACertificates("system");
  delete process.env.SSH_AUTH_SOCK;
});
afterAll(async () => {
  process.env = saved;
  await lab?.stop();
  rmSync(folder, { recursive: true, force: true });
});
beforeEach(async () => {
  process.env.SSL_CERT_FILE = lab.caFile;
  const [type, key] = readFileSync(lab.ssh.hostKeyFile, "utf8").split(" ");
  const known = Object.values(lab.ssh.nodes).map(({ address, port }) => `[${address}]:${port} ${type} ${key}\n`);
  writeFileSync(join(folder, "home", ".ssh", "known_hosts"), known.join(""));
});
afterEach(async () => {
  await lab.control.clearFaults();
  await lab.control.privileges();
  await lab.control.nodeOnline("pve2", true);
  await lab.control.version("9.2.11");
  await lab.control.bridges(["vmbr0"]);
  await lab.control.mapping("rtx4090", ["id=10de:2684,iommugroup=14,node=pve1,path=0000:01:00.0"]);
  await lab.control.storage("local", { content: "backup,import,iso,snippets,vztmpl", active: true, disable: false });
  await lab.control.storage("local-lvm", { active: true, avail: 800 * 2 ** 30 });
  const { vms } = await lab.control.state();
  for (const vmId of Object.keys(vms).map(Number)) {
    if (vmId !== 100 && vmId !== 900) await lab.control.deleteVm(vmId);
  }
  await lab.control.patchConfig(100, { delete: ["hostpci0", "ipconfig0"] });
});

interface Raw {
  cluster?: object;
  login?: object;
  templates?: object;
  cloneSets?: object;
}

const noble = () => ({
  vmId: 9000,
  image: { url: lab.image.url, checksum: lab.image.checksum },
  uefi: { enabled: true },
  tpm: { enabled: true },
});

/** The stack config with what a test changes in it. */
function stackConfig(raw: Raw = {}) {
  const config: Record<string, unknown> = {
    cluster: {
      endpoint: lab.endpoint,
      tls: { caFile: lab.caFile },
      ssh: {
        username: "root",
        privateKeyFile: lab.ssh.privateKeyFile,
        nodes: { ...lab.ssh.nodes },
      },
      node: "pve1",
      ...raw.cluster,
    },
    ...(raw.login ?? { apiToken: lab.apiToken }),
    templates: raw.templates ?? { noble: noble() },
    cloneSets: raw.cloneSets ?? {
      web: { template: "noble", clones: [{ name: "web-1", vmId: 9101, ip: "10.0.0.21/24", gateway: "10.0.0.1" }] },
    },
  };
  return {
    get: (key: string) => {
      const value = config[key];
      return typeof value === "object" ? JSON.stringify(value) : (value as string | undefined);
    },
  };
}

/** Runs preflight; gives its report, empty if it passed. */
async function preflight(raw: Raw = {}, olds: Partial<PreflightInputs> = {}) {
  const result = await provider.check?.(stackConfig(raw) as never, olds, { statusUrn: "urn:pulumi:test" });
  return { report: result?.failures?.[0]?.reason ?? "", inputs: result?.inputs as PreflightInputs };
}

/** What preflight has to say though nothing is wrong, by check: `vmid-free: …`; and that nothing is. */
async function said(raw: Raw, olds: Partial<PreflightInputs> = {}) {
  const { results } = await runPreflight(stackConfig(raw) as never, olds, { statusUrn: "urn:pulumi:test" });
  expect(results.flatMap(({ findings }) => findings.filter(({ status }) => status === "fail"))).toEqual([]);
  return remarks(results);
}

/** The lines of a report that a check failed with. */
const failures = (report: string, id: string) =>
  report
    .split("\n")
    .flatMap((line) => (line.trim().startsWith(`FAIL ${id}: `) ? [line.trim().slice(5 + id.length + 2)] : []));

const failedIds = (report: string) => [...new Set([...report.matchAll(/^ {2}FAIL ([a-z-]+): /gm)].map(([, id]) => id))];

/** All of the fleet as a run of the program leaves it. */
async function makeFleet(raw: Raw, fleetId: string) {
  const { templates, cloneSets, cluster } = readStackConfig(stackConfig(raw));
  const add = async (vmid: number, node: string, resource: string, content: string, config: object) =>
    lab.control.addVm({
      vmid,
      node,
      config: {
        description: markText({ fleetId, stack: "o/p/test", resource, vmId: vmid, content }),
        tags: `fleet-${fleetId}`,
        ...config,
      },
    });
  if (!cluster) throw new Error("the config has no cluster");
  for (const [key, template] of Object.entries(templates)) {
    const { vmId, node, name } = template;
    const scsi0 = `local-lvm:base-${vmId}-disk-0,size=20G`;
    await add(vmId, node, `templates.${key}`, templateContent(template, cluster), { name, template: 1, scsi0 });
  }
  for (const [key, { template, nodes, clones }] of Object.entries(cloneSets)) {
    const source = templates[template];
    const content = source ? `${templateContent(source, cluster)}-linked` : "";
    for (const { name, vmId, ip, node = nodes[0] ?? "" } of clones)
      await add(vmId, node, `cloneSets.${key}`, content, { name, ipconfig0: `ip=${ip}` });
  }
}

const hundred = () => ({
  web: {
    template: "noble",
    count: 100,
    namePattern: "web-{n}",
    firstVmId: 9101,
    ipRange: "10.0.0.21-10.0.0.120/24",
    gateway: "10.0.0.1",
  },
});

describe("a healthy cluster", () => {
  it("passes, and leaves nothing behind", async () => {
    const before = await lab.control.state();
    const { report, inputs } = await preflight();
    expect(report).toBe("");
    expect(inputs).toMatchObject({ vmIds: [9000, 9101], fleetId: expect.stringMatching(/^[0-9a-f]{8}$/) });
    expect(await lab.control.state()).toEqual(before);
  });

  it("asks twelve questions at most with a hundred clones that exist, and has nothing to update", async () => {
    const raw = { cloneSets: hundred() };
    const { inputs } = await preflight(raw);
    await makeFleet(raw, inputs.fleetId ?? "");
    await lab.control.clearRequests();
    const second = await preflight(raw, inputs);
    expect(second.report).toBe("");
    const { api } = await lab.control.requests();
    expect(api.map(({ path }) => path)).toHaveLength(new Set(api.map(({ path }) => path)).size);
    expect(api.length).toBeLessThanOrEqual(12);
    const diff = await provider.diff(stackConfig(raw) as never, "id", inputs as never, second.inputs);
    expect(diff.changes).toBe(false);
  });
});

describe("names of snippets", () => {
  it("stay those of the first key when a template gets another one", async () => {
    const first = await preflight();
    expect(first.inputs.templateNames).toEqual({ 9000: "noble" });
    const templates = { debian: noble(), plain: { ...noble(), vmId: 9010 } };
    const { inputs } = await preflight({ templates, cloneSets: {} }, first.inputs);
    expect(inputs.templateNames).toEqual({ 9000: "noble", 9010: "plain" });
  });
});

describe("environment", () => {
  let plain: Server;
  beforeAll(async () => {
    plain = createServer((_request, response) => response.end("hello"));
    await new Promise<void>((done) => plain.listen(0, "127.0.0.1", done));
  });
  afterAll(() => plain.close());

  it("says in four different texts why the API cannot be reached, and checks the config all the same", async () => {
    const port = (plain.address() as AddressInfo).port;
    const reports = await Promise.all(
      [
        { endpoint: "https://no-such-host.invalid:8006" },
        { endpoint: "https://127.0.0.1:1" },
        { tls: {} },
        { endpoint: `https://127.0.0.1:${port}` },
      ].map(async (cluster, index) => {
        // The CA of the system does not know the lab's, unless SSL_CERT_FILE says so.
        if (index === 2) delete process.env.SSL_CERT_FILE;
        return (await preflight({ cluster, templates: { noble: { ...noble(), cores: 2 } } })).report;
      }),
    );
    const texts = reports.map((report) => failures(report, "api-reachable")[0]);
    expect(texts).toEqual([
      expect.stringMatching(/^cluster\.endpoint: .*cannot be resolved$/),
      expect.stringMatching(/^cluster\.endpoint: .*nothing listens there$/),
      expect.stringMatching(/^cluster\.tls: .*is not trusted: /),
      expect.stringMatching(/^cluster\.endpoint: .*does not speak HTTPS/),
    ]);
    for (const report of reports) {
      expect(failedIds(report)).toEqual(["api-reachable", "config"]);
      expect(report).toContain("see api-reachable");
      expect(report).toContain("templates.noble.cores: unknown key");
    }
  });

  it("tells another server that speaks HTTPS from a PVE API", async () => {
    await lab.control.fail({ method: "GET", path: "/version", status: 404, message: "Not Found", html: true });
    const { report } = await preflight();
    expect(failures(report, "api-reachable")[0]).toMatch(/not a PVE API/);
  });

  it("tells a wrong secret, an expired token and a wrong password", async () => {
    const wrong = await preflight({ login: { apiToken: "fleet@pve!golden=00000000-0000-4000-8000-000000000000" } });
    expect(failures(wrong.report, "login")[0]).toMatch(/^apiToken: PVE refused token fleet@pve!golden /);
    await lab.control.expireToken("fleet@pve!golden");
    const expired = await preflight();
    expect(failures(expired.report, "login")[0]).toMatch(/it has expired/);
    expect(expired.report).not.toContain(lab.apiToken.split("=")[1]);
    const password = await preflight({ login: { username: "root@pam", password: "no-such-word" } });
    expect(failures(password.report, "login")[0]).toMatch(/^password: PVE refused root@pam /);
    expect(password.report).not.toContain("no-such-word");
    const realm = await preflight({ login: { apiToken: "golden=00000000" } });
    expect(failures(realm.report, "config")[0]).toMatch(
      /^apiToken: the token has no realm; expected user@realm!name=secret/,
    );
  });

  it("takes a password login", async () => {
    expect((await preflight({ login: { username: "root@pam", password: lab.rootPassword } })).report).toBe("");
  });

  it("says when the plugin cannot trust what this program trusts", async () => {
    delete process.env.SSL_CERT_FILE;
    const { report } = await preflight();
    expect(failedIds(report)).toEqual(["plugin-trust"]);
    expect(report).toContain(`-> export SSL_CERT_FILE=${lab.caFile}`);
    expect((await preflight({ cluster: { tls: { insecure: true } } })).report).toBe("");
    expect((await said({ cluster: { tls: { insecure: true } } })).warnings).toEqual([
      expect.stringMatching(/^api-reachable: cluster\.tls\.insecure: found true; nobody verifies/),
    ]);
  });

  it("prints lines for the fingerprint that hand the plugin the certificate, and no other", async () => {
    delete process.env.SSL_CERT_FILE;
    const cluster = { tls: { fingerprint: lab.fingerprint.toLowerCase() } };
    const { report } = await preflight({ cluster });
    expect(failedIds(report)).toEqual(["plugin-trust"]);
    expect(failures(report, "plugin-trust")[0]).toMatch(/^cluster\.tls\.fingerprint: /);
    const lines = report.split("\n").flatMap((line) => /-> (mkdir .*|\[ .*)$/.exec(line)?.[1] ?? []);
    const [fetch = "", compare = ""] = lines.map((line) => line.replaceAll(`${process.cwd()}/`, `${folder}/`));
    const run = async (...commands: string[]) =>
      (await runCommand("sh", ["-c", [...commands, 'printf %s "$SSL_CERT_FILE"'].join("\n")])).stdout;
    const file = await run(fetch, compare);
    expect(file).toBe(join(folder, ".fleet", "127.0.0.1.pem"));
    process.env.SSL_CERT_FILE = file;
    expect((await preflight({ cluster })).report).toBe("");
    expect(await run(fetch, compare.replace(/= ../, "= 00"))).toBe(file);
    delete process.env.SSL_CERT_FILE;
    expect(await run(fetch, compare.replace(/= ../, "= 00"))).toBe("");
  });

  it("tells a certificate that is not the pinned one", async () => {
    const fingerprint = Array.from({ length: 32 }, () => "AB").join(":");
    const { report } = await preflight({ cluster: { tls: { fingerprint } } });
    expect(failures(report, "api-reachable")[0]).toMatch(
      /^cluster\.tls\.fingerprint: .*has the fingerprint [0-9A-F:]{95}, the config says AB:AB/,
    );
  });

  it.each(["8.2.4", "8.3.5", "7.4-17"])("refuses Proxmox VE %s", async (version) => {
    await lab.control.version(version);
    expect(failedIds((await preflight()).report)).toContain("pve-version");
  });

  it("knows nodes that are missing or offline", async () => {
    const missing = await preflight({ cluster: { node: "pve3" } });
    expect(failures(missing.report, "node-exists")[0]).toMatch(/found "pve3", .*did you mean "pve1"\?$/);
    await lab.control.nodeOnline("pve2", false);
    const offline = await preflight({ templates: { noble: { ...noble(), node: "pve2" } } });
    expect(failures(offline.report, "node-online")).toEqual([
      "templates.noble.node: node pve2 is offline; expected it online",
    ]);
  });

  it("knows a cluster without quorum", async () => {
    await lab.control.quorum(false);
    expect(failures((await preflight()).report, "quorum")[0]).toMatch(/has no quorum and is read-only/);
  });
});

describe("permissions", () => {
  /** Carries out the `pveum` lines of a report by API, as root. */
  async function carryOut(report: string) {
    const root = new PveClient({
      endpoint: lab.endpoint,
      tls: { caFile: lab.caFile, insecure: false },
      login: { kind: "token", id: lab.rootToken.split("=")[0] ?? "", secret: lab.rootToken.split("=")[1] ?? "" },
    });
    for (const [, words = ""] of report.matchAll(/-> pveum (.*)$/gm)) {
      const role = /^role (add|modify) (\S+) (--append 1 )?--privs "([^"]+)"$/.exec(words);
      const acl = /^acl modify (\S+) --roles (\S+) --users (\S+) --tokens '([^']+)'( --propagate 0)?$/.exec(words);
      if (role?.[1] === "add") await root.post("/access/roles", { roleid: role[2], privs: role[4] });
      else if (role) await root.put(`/access/roles/${role[2]}`, { append: true, privs: role[4] });
      else if (acl)
        await root.put("/access/acl", {
          path: acl[1],
          roles: acl[2],
          users: acl[3],
          tokens: acl[4],
          propagate: acl[5] === undefined,
        });
      else throw new Error(`not understood: ${words}`);
    }
    await root.close();
  }

  it("lists what is missing by path, and its own lines mend it", async () => {
    for (const path of ["/", "/nodes", "/vms", "/storage", "/sdn/zones/localnetwork", "/mapping/pci", "/pool"])
      await lab.control.privileges(path, path === "/vms" ? ["VM.Audit"] : []);
    const raw = { templates: { noble: { ...noble(), gpus: [{ mapping: "rtx4090" }] } } };
    const { report } = await preflight(raw);
    const missing = failures(report, "privileges");
    expect(missing).toHaveLength(6);
    expect(missing.join("\n")).toMatch(/lacks Datastore\.Allocate, .* on \/storage\/local$/m);
    expect(missing.join("\n")).toMatch(
      /lacks VM\.Allocate, VM\.Clone, .* on \/vms \(looked at \/vms\/9000 and \/vms\/9101\)$/m,
    );
    // What may not be seen is not called missing.
    expect(failedIds(report)).not.toContain("device-mapping");
    expect(failedIds(report)).not.toContain("bridge-exists");
    await carryOut(report);
    expect((await preflight(raw)).report).toBe("");
  });

  it("knows an SSH login that does not work", async () => {
    const other = keyPair();
    const file = join(folder, "other-key");
    writeFileSync(file, other.private, { mode: 0o600 });
    const nodes = { pve1: { address: lab.ssh.address, port: lab.ssh.port } };
    const refused = await preflight({ cluster: { ssh: { privateKeyFile: file, nodes } } });
    expect(failures(refused.report, "ssh-login")[0]).toMatch(/^cluster\.ssh: .*refused the login$/);
    expect(refused.report).not.toContain("PRIVATE KEY");
    const { privateKeyFile } = lab.ssh;
    const closed = await preflight({
      cluster: { ssh: { privateKeyFile, nodes: { pve1: { address: "127.0.0.1", port: 1 } } } },
    });
    expect(failures(closed.report, "ssh-login")[0]).toMatch(
      /^cluster\.ssh\.nodes\.pve1: .*nothing listens on 127\.0\.0\.1:1$/,
    );
    const cluster = { ssh: undefined };
    const none = await preflight({
      cluster,
      templates: { noble: { ...noble(), cloudInit: { packages: ["htop"] } } },
    });
    expect(failures(none.report, "config")[0]).toMatch(
      /^templates\.noble\.cloudInit\.packages: .*cluster\.ssh is missing/,
    );
  });

  it("asks for neither SSH nor rights on snippets where no template needs one", async () => {
    const before = (await lab.control.requests()).ssh.length;
    await lab.control.privileges("/storage", [
      "Datastore.AllocateSpace",
      "Datastore.AllocateTemplate",
      "Datastore.Audit",
    ]);
    expect((await preflight({ cluster: { ssh: undefined } })).report).toBe("");
    expect((await lab.control.requests()).ssh).toHaveLength(before);
    expect(failedIds((await preflight()).report)).toEqual(["privileges"]);
  });

  describe("host keys", () => {
    const known = () => join(folder, "home", ".ssh", "known_hosts");
    const name = () => `[${lab.ssh.address}]:${lab.ssh.port}`;
    const ssh = (more: object) => ({ privateKeyFile: lab.ssh.privateKeyFile, nodes: { ...lab.ssh.nodes }, ...more });
    const linesOf = (report: string) => report.split("\n").map((line) => line.trim());
    const fingerprintOf = (line: string) => hostKeyOf(Buffer.from(line.split(" ")[1] ?? "", "base64")).fingerprint;
    let line: string;
    let fingerprint: string;
    const other = ssh2.utils.generateKeyPairSync("ed25519").public;

    beforeEach(async () => {
      [line = ""] = await lab.control.hostKeys("pve1", ["ssh-ed25519"]);
      fingerprint = fingerprintOf(line);
      writeFileSync(known(), "");
    });

    it("that are known need nothing, and nothing is written", async () => {
      const text = `${name()} ${line}\n`;
      writeFileSync(known(), text);
      expect((await said({})).warnings).toEqual([]);
      expect(readFileSync(known(), "utf8")).toBe(text);
    });

    it("that nobody knows are taken on trust, which is said with the line that pins them, and not written down", async () => {
      const { warnings } = await said({});
      expect(warnings).toEqual([expect.stringMatching(/^ssh-login: .*is taken on trust/)]);
      expect(warnings[0]).toContain(`${fingerprint} (ssh-ed25519)`);
      expect(readFileSync(known(), "utf8")).toBe("");
      const [, path, value] = /pin it: (\S+): "(\S+)"/.exec(warnings[0] ?? "") ?? [];
      expect(path).toBe("cluster.ssh.nodes.pve1.hostKey");
      const pve1 = { ...lab.ssh.nodes.pve1, hostKey: value };
      expect((await said({ cluster: { ssh: ssh({ nodes: { pve1 } }) } })).warnings).toEqual([]);
    });

    it("that are pinned are added to known_hosts, for the plugin", async () => {
      const cluster = { ssh: ssh({ hostKey: [fingerprintOf(other), fingerprint] }) };
      const first = await said({ cluster });
      expect(first.warnings).toEqual([]);
      expect(first.notes).toEqual([expect.stringMatching(/^ssh-login: the host key of pve1 is the pinned one/)]);
      expect(readFileSync(known(), "utf8")).toBe(`${name()} ${line.split(" ").slice(0, 2).join(" ")}\n`);
      expect(await said({ cluster })).toEqual({ warnings: [], notes: [] });
    });

    it("that are not the pinned ones are refused, with both, and remembered by nobody", async () => {
      const { report } = await preflight({ cluster: { ssh: ssh({ hostKey: other }) } });
      expect(failedIds(report)).toEqual(["ssh-login"]);
      expect(failures(report, "ssh-login")[0]).toMatch(
        /^cluster\.ssh\.hostKey: .* is not the one that the config pins/,
      );
      expect(report).toContain(`found ${fingerprint} (ssh-ed25519), expected ${other}`);
      expect(linesOf(report)).toContain(`-> If it is the node's own: cluster.ssh.hostKey: "${fingerprint}"`);
      expect(readFileSync(known(), "utf8")).toBe("");
    });

    it("that have changed are refused with both, and what to do", async () => {
      const cluster = { ssh: ssh({ hostKey: fingerprint }) };
      await said({ cluster });
      const [next = ""] = await lab.control.hostKeys("pve1");
      const found = fingerprintOf(next);
      const { report } = await preflight({ cluster });
      expect(failures(report, "ssh-login")[0]).toMatch(/^cluster\.ssh\.hostKey: /);
      expect(report).toContain(`found ${found} (ssh-ed25519), expected ${fingerprint} (ssh-ed25519)`);
      expect(linesOf(report)).toContain(
        `-> If it is the node's own: cluster.ssh.hostKey: "${found}", and ssh-keygen -R '${name()}'`,
      );
      // Without a pin, known_hosts says so, and with the new pin alone it has to forget the old one.
      const unpinned = (await preflight()).report;
      expect(failures(unpinned, "ssh-login")[0]).toMatch(/is not the one in ~\/\.ssh\/known_hosts: found SHA256/);
      expect(linesOf(unpinned)).toContain(`-> If it is the node's own: ssh-keygen -R '${name()}'`);
      const repinned = (await preflight({ cluster: { ssh: ssh({ hostKey: found }) } })).report;
      expect(failures(repinned, "ssh-login")[0]).toMatch(
        /is the one that the config pins, .*, but ~\/\.ssh\/known_hosts/,
      );
      expect(linesOf(repinned)).toContain(`-> If it is the node's own: ssh-keygen -R '${name()}'`);
    });

    it("of another type than known_hosts has are refused", async () => {
      writeFileSync(known(), `${name()} ${line}\n`);
      await lab.control.hostKeys("pve1", ["ecdsa-sha2-nistp256"]);
      const { report } = await preflight();
      expect(failures(report, "ssh-login")[0]).toContain(`found none of type ssh-ed25519, expected ${fingerprint}`);
    });
  });

  it("needs no root, but a folder that it may write to", async () => {
    const ssh = {
      username: "snippets",
      privateKeyFile: lab.ssh.privateKeyFile,
      nodes: { pve1: { address: lab.ssh.address, port: lab.ssh.port } },
    };
    expect((await preflight({ cluster: { ssh } })).report).toBe("");
    await lab.control.sftpDenied(true);
    const { report } = await preflight({ cluster: { ssh } });
    expect(failures(report, "snippets-writable")[0]).toMatch(
      /snippets@.* cannot write to \/var\/lib\/vz\/snippets: permission denied$/,
    );
    const { files } = await lab.control.state();
    expect(Object.keys(files).filter((name) => name.includes("write-test"))).toEqual([]);
  });
});

describe("resources", () => {
  it("knows datastores that are missing, disabled, inactive, or of another content", async () => {
    const missing = await preflight({ cluster: { datastores: { images: "locl", disks: "tank" } } });
    expect(failures(missing.report, "datastore-exists")).toEqual([
      expect.stringMatching(/^cluster\.datastores\.images: found "locl".*did you mean "local"\?$/),
      expect.stringMatching(/^cluster\.datastores\.disks: found "tank".*expected one of local, local-lvm$/),
    ]);
    await lab.control.storage("local-lvm", { active: false });
    await lab.control.storage("local", { content: "iso" });
    const { report } = await preflight();
    expect(failures(report, "datastore-active")[0]).toMatch(/local-lvm is not active on node pve1/);
    expect(failures(report, "datastore-content")).toHaveLength(2);
    expect(report).toContain("pvesm set local --content import,iso,snippets");
    await lab.control.storage("local", { disable: true });
    expect(failures((await preflight()).report, "datastore-active").join()).toMatch(/datastore local is disabled/);
  });

  it("knows a datastore that is full", async () => {
    await lab.control.storage("local-lvm", { avail: 100 * 2 ** 20 });
    expect(failures((await preflight()).report, "datastore-space")[0]).toMatch(
      /0\.1 GiB free; .* 20 GiB\. It is full$/,
    );
  });

  it("knows bridges and PCI mappings", async () => {
    await lab.control.bridges(["vmbr1"]);
    await lab.control.mapping("rtx4090", ["node=pve2,path=0000:01:00.0,id=10de:2684"]);
    const gpus = [{ mapping: "rtx4090" }, { mapping: "rtx4080" }];
    const { report } = await preflight({ templates: { noble: { ...noble(), gpus } } });
    expect(failures(report, "bridge-exists")).toEqual([
      'cluster.network.bridge: found "vmbr0", but node pve1 has no such bridge; did you mean "vmbr1"?',
    ]);
    expect(failures(report, "device-mapping")).toEqual([
      "templates.noble.gpus[0].mapping: mapping rtx4090 has no device on node pve1, only on pve2",
      expect.stringMatching(/^templates\.noble\.gpus\[1\]\.mapping: found "rtx4080".*did you mean "rtx4090"\?$/),
    ]);
  });

  it("knows a device that a running VM holds", async () => {
    await lab.control.patchConfig(100, { set: { hostpci0: "mapping=rtx4090,pcie=1" } });
    const { report } = await preflight({ templates: { noble: { ...noble(), gpus: [{ mapping: "rtx4090" }] } } });
    expect(failures(report, "device-free")[0]).toMatch(/1 clone is to be started with it; VM 100 "nas" uses it now$/);
  });

  it("refuses to replace a changed template while linked clones of it are alive", async () => {
    const { inputs } = await preflight();
    await makeFleet({}, inputs.fleetId ?? "");
    expect((await preflight({}, inputs)).report).toBe("");
    const changed = { templates: { noble: { ...noble(), memoryMiB: 4096 } } };
    const { report } = await preflight(changed, inputs);
    expect(failures(report, "template-in-use")[0]).toMatch(
      /^templates\.noble: .*linked clones of it are alive: 1 of cloneSets\.web$/,
    );
    await lab.control.deleteVm(9101);
    expect((await preflight({ ...changed, cloneSets: {} }, inputs)).report).toBe("");
  });
});

describe("clones on several nodes", () => {
  const clone = (more: object) => ({ name: "web-1", vmId: 9101, ...more });
  const web = (more: object) => ({ web: { template: "noble", clones: [clone({})], ...more } });

  it("takes a template with a replica on each of them", async () => {
    const templates = { noble: { ...noble(), nodes: ["pve1", "pve2"] } };
    const { report, inputs } = await preflight({ templates, cloneSets: web({ nodes: ["pve2"] }) });
    expect(report).toBe("");
    expect(inputs.vmIds).toEqual([9000, 9001, 9101]);
  });

  it("refuses a node that the template cannot be cloned to", async () => {
    const { report } = await preflight({ cloneSets: web({ nodes: ["pve2"] }) });
    expect(failedIds(report)).toEqual(["template-on-node"]);
    expect(failures(report, "template-on-node")).toEqual([
      "cloneSets.web.nodes[0]: clones of cloneSets.web may be put on node pve2, but templates.noble is on pve1 only, and local-lvm and local are not shared",
    ]);
    expect(report).toContain("-> Add pve2 to templates.noble.nodes: [pve1, pve2] makes a replica there;");
  });

  it("knows a clone's node that is missing, and a bridge that is not on it", async () => {
    const clones = [clone({ node: "pve4" })];
    const missing = await preflight({ cloneSets: web({ clones }) });
    expect(failures(missing.report, "node-exists")[0]).toMatch(/^cloneSets\.web\.clones\[0\]\.node: found "pve4"/);
    const nics = [{ bridge: "vmbr9" }];
    const bridge = await preflight({ cloneSets: web({ nics }) });
    expect(failures(bridge.report, "bridge-exists")[0]).toMatch(/^cloneSets\.web\.nics\[0\]\.bridge: found "vmbr9"/);
  });

  it("needs the right to move them between nodes", async () => {
    await lab.control.privileges("/vms", ["VM.Allocate", "VM.Audit"]);
    const templates = { noble: { ...noble(), nodes: ["pve1", "pve2"] } };
    expect(failures((await preflight({ templates })).report, "privileges")[0]).toContain("VM.Migrate");
    expect(failures((await preflight({})).report, "privileges")[0]).not.toContain("VM.Migrate");
  });
});

describe("a template that gets another VMID", () => {
  const moved = (more: object = {}) => ({ noble: { ...noble(), vmId: 9010, ...more } });
  const web = (more: object = {}) => ({
    web: { template: "noble", clones: [{ name: "web-1", vmId: 9101 }], ...more },
  });

  it("is refused while linked clones of the old one would stay, and not if they move", async () => {
    const { inputs } = await preflight();
    await makeFleet({}, inputs.fleetId ?? "");
    const { report } = await preflight({ templates: moved({ memoryMiB: 4096 }), cloneSets: web() }, inputs);
    expect(failures(report, "template-in-use")).toEqual([
      "templates.noble.vmId: the template has VMID 9010 now, so VM 9000 would be deleted at the end of the run, but linked clones of it would live on: 1 of cloneSets.web",
    ]);
    const cloneSets = web({ onTemplateChange: "replace" });
    expect((await preflight({ templates: moved({ memoryMiB: 4096 }), cloneSets }, inputs)).report).toBe("");
    // Nothing is made anew from a template of the same content.
    expect(failedIds((await preflight({ templates: moved(), cloneSets }, inputs)).report)).toEqual(["template-in-use"]);
    expect((await preflight({ templates: moved(), cloneSets: {} }, inputs)).report).toBe("");
  });
});

describe("VMIDs and addresses", () => {
  it("lets a clone take over a VM, but no container and no template", async () => {
    const web = (vmId: number) => ({
      web: { template: "noble", clones: [{ name: "web-1", vmId, adopt: true }] },
    });
    expect((await preflight({ cloneSets: web(100) })).report).toBe("");
    expect(failures((await preflight({ cloneSets: web(900) })).report, "vmid-free")[0]).toMatch(
      /VMID 900 is taken by template "debian-template"/,
    );
  });

  it("names the VM that has a VMID of the config, on whatever node", async () => {
    await lab.control.addVm({ vmid: 9101, node: "pve2", config: { name: "build" }, status: "running" });
    const { report } = await preflight({ templates: { noble: { ...noble(), vmId: 900 } } });
    expect(failures(report, "vmid-free")).toEqual([
      'templates.noble.vmId: VMID 900 is taken by template "debian-template" on node pve1, which this stack did not make',
      'cloneSets.web.clones[0].vmId: VMID 9101 is taken by VM "build" on node pve2 (running), which this stack did not make',
    ]);
  });

  it("knows its own VMs from those of another stack", async () => {
    const { inputs } = await preflight();
    await makeFleet({}, inputs.fleetId ?? "");
    // Neither olds nor tags are needed to know one of ours.
    expect((await preflight({}, { fleetId: inputs.fleetId ?? "" })).report).toBe("");
    const { report } = await preflight();
    expect(failures(report, "vmid-free")[0]).toMatch(/which stack o\/p\/test made as templates\.noble$/);
  });

  it("knows an address that another VM has", async () => {
    await lab.control.patchConfig(100, { set: { ipconfig0: "ip=10.0.0.21/24,gw=10.0.0.1" } });
    expect(failures((await preflight()).report, "address-free")).toEqual([
      'cloneSets.web.clones[0].ip: 10.0.0.21 is the address of VM 100 "nas" on node pve1; expected one that nobody has',
    ]);
  });
});

describe("a node that is down", () => {
  const templates = () => ({ noble: { ...noble(), nodes: ["pve1", "pve2"] } });
  const clone = (n: number, node: string) => ({ name: `web-${n}`, vmId: 9100 + n, node, ip: `10.0.0.2${n}/24` });
  const cloneSets = { web: { template: "noble", clones: [clone(1, "pve1"), clone(2, "pve2")] } };

  /** The node is up, but the one that is asked cannot reach its API. */
  const cutOff = async (paths: readonly string[]) => {
    for (const path of paths)
      await lab.control.fail({
        method: "GET",
        path: `/nodes/pve2/${path}`,
        status: 595,
        message: "No route to host",
        times: null,
      });
  };

  it.each([false, true])(
    "stops nothing if the config has nothing on it (its guests are still shown: %s)",
    async (stillShown) => {
      for (const vmid of [200, 201]) await lab.control.addVm({ vmid, node: "pve2", status: "running" });
      await lab.control.nodeOnline("pve2", false, { stillShown });
      await lab.control.clearRequests();
      expect(await said({})).toEqual({
        warnings: [
          "address-free: not looked at: 2 guests on node pve2, which does not answer; they may have one of these addresses",
        ],
        notes: [],
      });
      const { api } = await lab.control.requests();
      expect(api.filter(({ path }) => path.startsWith("/nodes/pve2/"))).toEqual([]);
    },
  );

  it("that cannot be reached is not asked for every guest: it takes seconds to not answer", async () => {
    const ids = Array.from({ length: 40 }, (_, index) => 200 + index);
    for (const vmid of ids) await lab.control.addVm({ vmid, node: "pve2", status: "running" });
    await cutOff(ids.map((vmid) => `qemu/${vmid}/config`));
    await lab.control.clearRequests();
    expect((await said({})).warnings).toEqual([expect.stringContaining("40 guests on node pve2, which does not")]);
    const { api } = await lab.control.requests();
    // Those that were under way together when the first was not answered.
    expect(new Set(api.map(({ path }) => path).filter((path) => path.startsWith("/nodes/pve2/"))).size).toBe(8);
  });

  it.each(["is offline", "does not answer"])("stops what is on it and nothing else (%s)", async (what) => {
    const raw = { templates: templates(), cloneSets };
    const { inputs } = await preflight(raw);
    await makeFleet(raw, inputs.fleetId ?? "");
    if (what === "is offline") await lab.control.nodeOnline("pve2", false);
    else await cutOff(["storage", "network", "qemu/9001/config", "qemu/9102/config"]);
    // Something is new, so that every check has work to do.
    const added = { web: { ...cloneSets.web, clones: [...cloneSets.web.clones, clone(3, "pve2"), clone(4, "pve1")] } };
    const { warnings } = await said({ ...raw, cloneSets: added }, inputs);
    expect(warnings[0]).toMatch(
      new RegExp(
        `^node-online: .*: node pve2 ${what}: 9001 \\(templates\\.noble\\) and 9102 to 9103 \\(cloneSets\\.web\\) can be neither made nor changed`,
      ),
    );
    const skipped = warnings.filter((line) => line.endsWith(`node pve2 ${what}, see node-online`));
    expect(skipped).toEqual([expect.stringMatching(/datastore-exists, .*bridge-exists/)]);
  });

  it("is a failure where a template is to be made on it, or everything is", async () => {
    await lab.control.nodeOnline("pve2", false);
    const { report } = await preflight({ templates: templates() });
    expect(failedIds(report)).toEqual(["node-online"]);
    expect(failures(report, "node-online")).toEqual([
      "templates.noble.nodes[1]: node pve2 is offline, and templates.noble is to be made there",
    ]);
    const all = await preflight({ templates: { noble: { ...noble(), node: "pve2" } } });
    expect(failures(all.report, "node-online")).toEqual([
      "templates.noble.node: node pve2 is offline; expected it online",
    ]);
  });
});

describe("a question that fails", () => {
  it("is told by one check, and asked again by the next preflight", async () => {
    await lab.control.fail({ method: "GET", path: "/nodes", status: 500, message: "unable to read /etc/pve/.members" });
    const { report } = await preflight();
    expect(failedIds(report)).toEqual(["node-exists"]);
    expect(report).toMatch(/see node-exists$/m);
    expect((await preflight()).report).toBe("");
  });

  it("is asked again where that is worth it", async () => {
    await lab.control.fail({ method: "GET", path: "/nodes", status: 596, message: "Broken pipe", times: 2 });
    expect((await preflight()).report).toBe("");
  });
});

describe("clones of ours", () => {
  it("that have all lost their tags stop nothing, and one line says what is to be done", async () => {
    const raw = { cloneSets: hundred() };
    const { inputs } = await preflight(raw);
    await makeFleet(raw, inputs.fleetId ?? "");
    for (let vmId = 9101; vmId <= 9200; vmId++) await lab.control.patchConfig(vmId, { set: { tags: "bulk" } });
    const { notes, warnings } = await said(raw, inputs);
    expect(warnings).toEqual([]);
    expect(notes).toEqual([
      `vmid-free: cloneSets.web: 9101 to 9200 have lost the tag fleet-${inputs.fleetId}; pulumi up --refresh puts it back`,
    ]);
  });

  it("that move to another set keep their VMs, and one line says so", async () => {
    const raw = { cloneSets: hundred() };
    const { inputs } = await preflight(raw);
    await makeFleet(raw, inputs.fleetId ?? "");
    const { web } = raw.cloneSets;
    expect(await said({ cloneSets: { frontend: web } }, inputs)).toEqual({
      warnings: [],
      notes: ["vmid-free: 9101 to 9200 move from cloneSets.web to cloneSets.frontend, their VMs stay"],
    });
  });

  it("a template by another key keeps its VM if it is the same", async () => {
    const { inputs } = await preflight({ cloneSets: {} });
    await makeFleet({ cloneSets: {} }, inputs.fleetId ?? "");
    expect(await said({ templates: { debian: noble() }, cloneSets: {} }, inputs)).toEqual({
      warnings: [],
      notes: ["vmid-free: templates.debian.vmId: templates.noble is templates.debian now, its VM 9000 stays"],
    });
    const other = { debian: { ...noble(), memoryMiB: 4096 } };
    const { report } = await preflight({ templates: other, cloneSets: {} }, inputs);
    expect(failures(report, "vmid-free")).toEqual([
      'templates.debian.vmId: VMID 9000 is taken by template "noble" on node pve1, which this stack made as templates.noble',
    ]);
  });

  it("of a template are not counted to another one of the same content", async () => {
    const templates = { noble: noble(), spare: { ...noble(), vmId: 9010 } };
    const { inputs } = await preflight({ templates });
    await makeFleet({ templates }, inputs.fleetId ?? "");
    expect((await said({}, inputs)).notes).toEqual([]);
    const cloneSets = { web: { template: "spare", clones: [{ name: "web-1", vmId: 9101 }] } };
    const { report } = await preflight({ templates: { spare: templates.spare }, cloneSets }, inputs);
    expect(failures(report, "template-in-use")[0]).toMatch(/VM 9000 would be deleted .* live on: 1 of cloneSets\.web$/);
  });

  it("made by hand of our template are named where they stop its removal", async () => {
    const dir = { type: "dir", path: "/var/lib/data", content: "images" };
    await lab.control.storage("data", { create: dir });
    const raw = { cluster: { datastores: { disks: "data" } }, cloneSets: {} };
    const { inputs } = await preflight(raw);
    const fleetId = inputs.fleetId ?? "";
    const description = markText({
      fleetId,
      stack: "o/p/test",
      resource: "templates.noble",
      vmId: 9000,
      content: "old",
    });
    const config = { name: "noble", tags: `fleet-${fleetId}`, description, scsi0: "data:1" };
    const client = clientOf(lab);
    const run = async (path: string, params = {}) => waitForTask(client, await client.post<string>(path, params));
    await run("/nodes/pve1/qemu", { vmid: 9000, ...config });
    await run("/nodes/pve1/qemu/9000/template");
    await run("/nodes/pve1/qemu/9000/clone", { newid: 150, name: "byhand" });
    const { report } = await preflight({ ...raw, templates: {} }, inputs);
    expect(failures(report, "template-in-use")).toEqual([
      'templates.noble: the template is no longer in the config, so VM 9000 would be deleted at the end of the run, but linked clones of it would live on: VM 150 "byhand" on node pve1',
    ]);
    const template = { node: "pve1", vmId: 9000, config: (await lab.control.vms())["9000"]?.config ?? {} };
    expect(await linkedTo(client, template)).toEqual(['VM 150 "byhand" on node pve1']);
    await client.close();
  });
});

describe("the report", () => {
  it("has everything that is wrong at once, of the cluster and of the config", async () => {
    delete process.env.SSL_CERT_FILE;
    await lab.control.quorum(false);
    await lab.control.version("8.3.5");
    await lab.control.privileges("/vms", ["VM.Audit"]);
    await lab.control.storage("local", { content: "iso" });
    await lab.control.sftpDenied(true);
    await lab.control.patchConfig(100, { set: { ipconfig0: "ip=10.0.0.21/24" } });
    const { report } = await preflight({
      cluster: { datastores: { disks: "local-zfs" }, network: { bridge: "vmbr7" } },
      templates: { noble: { ...noble(), vmId: 900, gpus: [{ mapping: "rtx4080" }] } },
      cloneSets: {
        web: {
          template: "noble",
          clones: [
            { name: "web-1", vmId: 100, ip: "10.0.0.21/24", gateway: "10.1.0.1" },
            { name: "web-2", vmId: 9102, ip: "10.0.0.21/24" },
          ],
        },
      },
    });
    expect(failedIds(report)).toEqual([
      "plugin-trust",
      "pve-version",
      "quorum",
      "privileges",
      "snippets-writable",
      "datastore-exists",
      "datastore-content",
      "bridge-exists",
      "device-mapping",
      "vmid-free",
      "config",
    ]);
  });
});

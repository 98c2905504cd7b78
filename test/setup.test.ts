import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { type Lab, startLab } from "../lab/lab.ts";
import { PveClient } from "../proxmox/client.ts";
import { type Checkout, type Finished, openCheckout } from "./setupCheckout.ts";

/** `npm run setup` as a newcomer runs it, against one lab. */
let labDir: string;
let lab: Lab;
let checkout: Checkout;
let root: PveClient;
/** Of the certificate that the lab shows now. */
let fingerprint: string;

beforeAll(async () => {
  labDir = mkdtempSync(join(tmpdir(), "setup-lab-"));
  lab = await startLab({ dir: join(labDir, "lab"), timeScale: 0.02 });
  fingerprint = lab.fingerprint;
  checkout = await openCheckout(lab);
  const [id = "", secret = ""] = lab.rootToken.split("=");
  root = new PveClient({
    endpoint: lab.endpoint,
    tls: { caFile: lab.caFile, insecure: false },
    login: { kind: "token", id, secret },
  });
});

afterAll(async () => {
  await root?.close();
  await lab?.stop();
  await checkout?.close();
  rmSync(labDir, { recursive: true, force: true });
});

const endpoint = () => ["--endpoint", lab.endpoint.replace("https://", "")];
const image = () => ["--image-url", lab.image.url, "--checksum-url", lab.image.checksumUrl];
const ssh = () => ["--ssh", "--ssh-address", `127.0.0.1:${lab.ssh.port}`, "--accept-host-key"];
/** All that the lab needs, unattended. */
const unattended = (stack: string, ...more: string[]) => [
  ...["--yes", "--stack", stack, ...endpoint(), "--accept-fingerprint", fingerprint],
  ...[...image(), ...ssh(), ...more],
];

const written = () => readdirSync(checkout.dir).filter((name) => /^Pulumi\..+\.yaml$|pem$/.test(name));
const stackFile = (stack: string) => readFileSync(join(checkout.dir, `Pulumi.${stack}.yaml`), "utf8");
const all = ({ stdout, stderr }: Finished) => `${stdout}${stderr}`;
const users = async () => (await root.get<{ userid: string }[]>("/access/users")).map(({ userid }) => userid);

describe("before anything is there", () => {
  it("without a terminal all that is missing is told at once", async () => {
    const { code, stderr } = await checkout.setup(["--clones", "2"]);
    expect(code).toBe(2);
    expect(stderr).toContain("--endpoint HOST\n");
    expect(stderr).toContain("--password-stdin");
    expect(stderr).toContain("--stack NAME\n");
    expect(stderr).toContain("--image NAME or --image-url URL\n");
    expect(stderr).not.toContain("--clones");
  });

  it("options that do not exist, and the lab's stack, are refused", async () => {
    expect(await checkout.setup(["--endpont", "x"])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("did you mean --endpoint?"),
    });
    const dev = await checkout.setup(unattended("dev", "--password-stdin"), lab.rootPassword);
    expect(dev).toMatchObject({ code: 2, stderr: expect.stringContaining("dev is the stack of the lab") });
  });

  it("a certificate that is not known is shown, with the option that accepts it", async () => {
    const args = ["--yes", ...endpoint(), ...image(), "--password-stdin"];
    const { code, stderr } = await checkout.setup(args, lab.rootPassword);
    expect(code).toBe(2);
    expect(stderr).toContain(`--accept-fingerprint ${lab.fingerprint}`);
    const other = `${lab.fingerprint.slice(0, -2)}${lab.fingerprint.endsWith("00") ? "01" : "00"}`;
    const wrong = await checkout.setup([...args, "--accept-fingerprint", other], lab.rootPassword);
    expect(wrong).toMatchObject({ code: 1, stderr: expect.stringContaining("somebody else may answer there") });
  });

  it("a secret is not read from a terminal, which would show it", async () => {
    const { code, stdout, stderr } = await checkout.inTerminal(["--yes", ...endpoint(), "--password-stdin"], []);
    expect(`${stdout}${stderr}`).toContain("--password-stdin: stdin is a terminal; pipe it in (< file)");
    expect(code).toBe(2);
  });

  it("a wrong password is refused", async () => {
    const { code, stderr } = await checkout.setup(unattended("home", "--password-stdin"), "wrong");
    expect(code).toBe(1);
    expect(stderr).toContain("PVE refuses root@pam with this password");
    expect(stderr).toContain("Nothing was written.");
  });

  it("--print shows the stack file, and writes nothing here or on the cluster", async () => {
    const before = await users();
    const { code, stdout } = await checkout.setup(unattended("home", "--password-stdin", "--print"), lab.rootPassword);
    expect(code).toBe(0);
    expect(parse(stdout).config["proxmox-golden-fleet:cloneSets"]).toEqual({
      web: { template: "noble", count: 3, namePattern: "web-{n}", firstVmId: 9101, waitFor: "agent" },
    });
    expect(await users()).toEqual(before);
    expect(written()).toEqual([]);
    expect(existsSync(join(checkout.dir, ".fleet"))).toBe(false);
    expect(existsSync(join(checkout.env.HOME ?? "", ".ssh", "known_hosts"))).toBe(false);
  });

  it("Ctrl-C at a question leaves nothing", async () => {
    const before = await users();
    const { code, stderr, stdout } = await checkout.inTerminal(
      [...endpoint(), "--accept-fingerprint", ...image()],
      [
        ["stack called", "\r"],
        ["How does the stack log in", "\r"],
        ["Password of", `${lab.rootPassword}\r`],
        ["Which node", "\r"],
        ["Is that right?", "\r"],
        ["How many clones", "\x03"],
      ],
    );
    expect(`${stdout}${stderr}`).toContain("Interrupted. Nothing was written.");
    expect(code).toBe(130);
    expect(await users()).toEqual(before);
    expect(written()).toEqual([]);
    expect(existsSync(join(checkout.dir, ".fleet"))).toBe(false);
  });
});

describe("with root's password", () => {
  let result: Finished;
  beforeAll(async () => {
    result = await checkout.setup(unattended("home", "--password-stdin"), lab.rootPassword);
  });

  it("a stack is written that passes preflight", () => {
    expect(result, all(result)).toMatchObject({ code: 0 });
    expect(result.stdout).toContain("Preflight found nothing that stops a run.");
    expect(result.stdout).toContain("npm run fleet -- up --stack home\n");
    expect(result.stdout).toContain("pulumi up --stack home\n");
    expect(written().sort()).toEqual(["Pulumi.home.yaml", "home-ca.pem"]);
  });

  it("its config has no default in it, and no secret in plain text", () => {
    const { config } = parse(stackFile("home"));
    expect(config["proxmox-golden-fleet:cluster"]).toEqual({
      endpoint: lab.endpoint,
      tls: { caFile: "./home-ca.pem" },
      ssh: {
        privateKeyFile: "~/.ssh/id_ed25519",
        nodes: { pve1: { address: "127.0.0.1", port: lab.ssh.port, hostKey: expect.stringMatching(/^SHA256:/) } },
      },
      node: "pve1",
    });
    expect(config["proxmox-golden-fleet:templates"]).toEqual({
      noble: {
        vmId: 9000,
        image: { url: lab.image.url, checksumUrl: lab.image.checksumUrl },
        cloudInit: { sshPublicKeyFile: "~/.ssh/id_ed25519.pub", packages: ["qemu-guest-agent"] },
      },
    });
    expect(config["proxmox-golden-fleet:apiToken"]).toEqual({ secure: expect.stringMatching(/^v1:/) });
    expect(statSync(join(checkout.dir, ".fleet", "passphrase")).mode & 0o777).toBe(0o600);
    expect(readdirSync(join(checkout.dir, ".fleet")).sort()).toEqual(["certificates", "passphrase", "state"]);
  });

  it("it goes up, stays as it is, and goes away, by the command that setup names", async () => {
    const up = await checkout.fleet(["up", "--stack", "home", "--yes", "--skip-preview"]);
    expect(up, all(up)).toMatchObject({ code: 0 });
    const again = await checkout.fleet(["preview", "--expect-no-changes"]);
    expect(again, all(again)).toMatchObject({ code: 0 });
    const destroy = await checkout.fleet(["destroy", "--yes"]);
    expect(destroy, all(destroy)).toMatchObject({ code: 0 });
  });

  it("run again, it changes what options name, and nothing else", async () => {
    const file = join(checkout.dir, "Pulumi.home.yaml");
    writeFileSync(file, stackFile("home").replace("    node: pve1\n", "    node: pve1 # the one in the cellar\n"));
    const before = stackFile("home");
    const useless = await checkout.setup(["--yes", "--stack", "home", "--vm-ids", "7000", "--add-content"]);
    expect(useless).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("--vm-ids, --add-content: for a new stack only"),
    });
    const same = await checkout.setup(["--yes", "--stack", "home", "--no-preflight"]);
    expect(same, all(same)).toMatchObject({ code: 0 });
    expect(same.stdout).toContain("The stack file stays as it is.");
    expect(stackFile("home")).toBe(before);

    const args = ["--yes", "--stack", "home", "--no-preflight", "--clones", "5", "--full"];
    const changed = await checkout.setup(args);
    expect(changed, all(changed)).toMatchObject({ code: 0 });
    expect(changed.stdout).toContain("cloneSets.web.count: 3 -> 5");
    expect(changed.stdout).toContain("cloneSets.web.mode: (nothing) -> full");
    const added = stackFile("home").split("\n");
    expect(added.filter((line) => !before.split("\n").includes(line))).toEqual(["      count: 5", "      mode: full"]);
  });

  it("run again after the certificate was made anew by somebody else, it is shown, and the new CA written", async () => {
    const before = stackFile("home");
    await lab.control.certificate(["127.0.0.1"], { foreign: true });
    try {
      const again = ["--yes", "--stack", "home", "--no-preflight"];
      const refused = await checkout.setup(again);
      expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining("--accept-fingerprint") });
      const accepted = await checkout.setup([...again, "--accept-fingerprint"]);
      expect(accepted, all(accepted)).toMatchObject({ code: 0 });
      expect(accepted.stdout).toContain("home-ca.pem: the certificate itself");
      expect(stackFile("home")).toBe(before);
    } finally {
      fingerprint = await lab.control.certificate(["127.0.0.1", "localhost", "pve1", "pve2"]);
    }
  });
});

describe("what fails once everything is answered", () => {
  const tokens = async () => {
    const found = await root.get<{ userid: string }[]>("/access/users");
    const all = await Promise.all(
      found.map(async ({ userid }) =>
        (await root.get<{ tokenid: string }[]>(`/access/users/${userid}/token`)).map(
          ({ tokenid }) => `${userid}!${tokenid}`,
        ),
      ),
    );
    return all.flat();
  };

  it("a backend that does not work is found before anything is made on the cluster", async () => {
    const before = [await users(), await tokens()];
    const args = unattended("nowhere", "--password-stdin", "--token-user", "nowhere@pve", "--no-preflight");
    const result = await checkout.setup([...args, "--backend", "file:///proc/nowhere"], lab.rootPassword);
    expect(result).toMatchObject({ code: 1, stderr: expect.stringContaining("Nothing was written.") });
    expect([await users(), await tokens()]).toEqual(before);
  });

  it("a file that cannot be written takes the new token with it, and the next run makes it again", async () => {
    const args = unattended("late", "--password-stdin", "--no-preflight");
    mkdirSync(join(checkout.dir, "late-ca.pem"));
    const result = await checkout.setup(args, lab.rootPassword);
    rmSync(join(checkout.dir, "late-ca.pem"), { recursive: true });
    expect(result).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("Deleted again, for its secret is lost: token golden@pve!late."),
    });
    expect(await tokens()).not.toContain("golden@pve!late");
    const again = await checkout.setup(args, lab.rootPassword);
    expect(again, all(again)).toMatchObject({ code: 0 });
    expect(await tokens()).toContain("golden@pve!late");
  });
});

describe("with other logins", () => {
  it("a token that has all rights is taken as it is", async () => {
    const before = await users();
    const args = unattended(
      "token",
      "--token-stdin",
      "--no-preflight",
      "--ip-range",
      "10.0.0.50-10.0.0.60/24",
      "--gateway",
      "10.0.0.1",
    );
    const result = await checkout.setup(args, lab.apiToken);
    expect(result, all(result)).toMatchObject({ code: 0 });
    expect(all(result)).not.toContain(lab.apiToken.split("=")[1]);
    expect(await users()).toEqual(before);
    expect(parse(stackFile("token")).config["proxmox-golden-fleet:cloneSets"].web).toMatchObject({
      ipRange: "10.0.0.50-10.0.0.60/24",
      gateway: "10.0.0.1",
    });
  });

  it("the printed lines make a token, and give it what it lacks", async () => {
    const args = unattended("lines", "--login", "lines", "--token-user", "ops@pve", "--no-preflight");
    const first = await checkout.setup(args);
    expect(first).toMatchObject({ code: 3 });
    const secret = await asRoot(first.stderr);
    const token = `ops@pve!lines=${secret}`;
    const second = await checkout.setup([...args, "--token-stdin"], token);
    expect(second, all(second)).toMatchObject({ code: 3, stderr: expect.stringContaining("lacks rights") });
    expect(written()).not.toContain("Pulumi.lines.yaml");
    await asRoot(second.stderr);
    const third = await checkout.setup([...args, "--token-stdin"], token);
    expect(third, all(third)).toMatchObject({ code: 0 });
    expect(written()).toContain("Pulumi.lines.yaml");
    // What let it look around is gone.
    const acls = await root.get<{ roleid: string; ugid: string }[]>("/access/acl");
    expect(acls.filter(({ ugid, roleid }) => ugid === "ops@pve" && roleid === "PVEAuditor")).toEqual([]);
  });

  it("a user that may not make users gets the lines that do it", async () => {
    await root.post("/access/users", { userid: "low@pve", password: "low-Secret1" });
    await root.put("/access/acl", { path: "/", users: "low@pve", roles: "PVEAuditor" });
    const args = unattended("low", "--username", "low@pve", "--password-stdin", "--no-preflight");
    const { code, stderr } = await checkout.setup(args, "low-Secret1");
    expect(code).toBe(3);
    expect(stderr).toContain("low@pve may not make a login for the stack");
    expect(stderr).toContain("pveum user token add golden@pve low --privsep 0");
    expect(written()).not.toContain("Pulumi.low.yaml");
  });
});

describe("in a terminal", () => {
  it("Enter at each question but for host and password makes a stack that needs no SSH, and passes preflight", async () => {
    const result = await checkout.inTerminal(image(), [
      ["What is the stack called", "pty\r"],
      ["Where is the cluster", `${lab.endpoint.replace("https://", "")}\r`],
      ["Is this your node?", "\r"],
      ["How does the stack log in", "\r"],
      ["Password of root@pam", "wrong\r"],
      ["authentication failure", ""],
      ["◆  Password of root@pam", `${lab.rootPassword}\r`],
      ["Which node", "\r"],
      ["Is that right?", "\r"],
      ["How many clones", "\r"],
      ["Addresses of the clones", "\r"],
      ["Go ahead?", "\r"],
    ]);
    expect(result, all(result)).toMatchObject({ code: 0 });
    expect(written()).toContain("Pulumi.pty.yaml");
    expect(result.stdout).toContain("Preflight found nothing that stops a run.");
    expect(result.stdout).toContain("npm run fleet -- up --stack pty");
    expect(stackFile("pty")).not.toContain("ssh:");
  });
});

describe("a cluster that does not fit", () => {
  afterEach(async () => {
    await root.put("/storage/local", { content: "backup,images,import,iso,snippets,vztmpl" });
  });

  it("a datastore without the content type is told, and --add-content adds it and keeps the others", async () => {
    await root.put("/storage/local", { content: "iso,vztmpl" });
    const args = unattended("content", "--password-stdin", "--no-preflight");
    const refused = await checkout.setup(args, lab.rootPassword);
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining("does not take import") });
    expect(refused.stderr).toContain("--add-content");
    const result = await checkout.setup([...args, "--add-content"], lab.rootPassword);
    expect(result, all(result)).toMatchObject({ code: 0 });
    const { content } = await root.get<{ content: string }>("/storage/local");
    expect(content.split(",").sort()).toEqual(["import", "iso", "snippets", "vztmpl"]);
  });

  it("VMIDs and addresses that are taken are refused", async () => {
    await root.post("/nodes/pve1/qemu", { vmid: 9702, name: "other" });
    const args = unattended("ids", "--password-stdin", "--no-preflight");
    const ids = await checkout.setup([...args, "--vm-ids", "9600"], lab.rootPassword);
    expect(ids).toMatchObject({ code: 1, stderr: expect.stringContaining("already taken: 9702") });
    const range = await checkout.setup([...args, "--ip-range", "10.0.0.1-10.0.0.3/24"], lab.rootPassword);
    expect(range).toMatchObject({ code: 1, stderr: expect.stringContaining("10.0.0.2 is the address of node pve") });
  });
});

/** Runs the `pveum` lines of a text by the API; gives the secret of a token that they make. */
async function asRoot(text: string): Promise<string> {
  let secret = "";
  for (const line of text.split("\n").filter((one) => one.startsWith("pveum "))) {
    const [, userid] = /^pveum user add (\S+)/.exec(line) ?? [];
    const [, verb, roleid, privs] = /^pveum role (add|modify) (\S+) .*--privs "([^"]+)"/.exec(line) ?? [];
    const [, change, at] = /^pveum acl (modify|delete) (\S+)/.exec(line) ?? [];
    const [, owner, name] = /^pveum user token add (\S+) (\S+) --privsep 0/.exec(line) ?? [];
    const value = (option: string) => new RegExp(`--${option} '?([^' ]+)`).exec(line)?.[1];
    if (userid) await root.post("/access/users", { userid });
    else if (verb === "add") await root.post("/access/roles", { roleid, privs });
    else if (verb) await root.put(`/access/roles/${roleid}`, { privs, append: true });
    else if (at) {
      const to = { users: value("users"), tokens: value("tokens") };
      await root.put("/access/acl", {
        ...{ path: at, roles: value("roles"), ...to },
        ...(change === "delete" ? { delete: true } : { propagate: value("propagate") !== "0" }),
      });
    } else if (name)
      secret = (await root.post<{ value: string }>(`/access/users/${owner}/token/${name}`, { privsep: false })).value;
    else throw new Error(`no such line: ${line}`);
  }
  return secret;
}

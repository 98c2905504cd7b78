import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { parse } from "yaml";
import type { Fleet } from "../config/fleet.ts";
import { loadConfig } from "../config/load.ts";
import { type Lab, startLab } from "../lab/lab.ts";
import { readUsedAddresses } from "../providers/guest/usedAddresses.ts";
import { PveClient } from "../proxmox/client.ts";
import { readVersion } from "../proxmox/cluster.ts";
import { verifiedBySystem } from "../proxmox/systemTrust.ts";
import { applyLogin, checkLogin, planLogin, pveumLines } from "../setup/cluster/access.ts";
import { checkRange } from "../setup/cluster/addressRange.ts";
import { isFingerprint, lookAtEndpoint, settleTrust, tlsFor } from "../setup/cluster/certificate.ts";
import { addContent, choiceFor, listNodeDatastores } from "../setup/cluster/datastores.ts";
import { listNodeMappings } from "../setup/cluster/devices.ts";
import { normaliseEndpoint } from "../setup/cluster/endpoint.ts";
import { listBridges } from "../setup/cluster/networks.ts";
import { listClusterNodes, readNodeDns } from "../setup/cluster/nodes.ts";
import { logIn, type Session } from "../setup/cluster/session.ts";
import { lookAtNodeSsh, rememberNodeSsh, trySshLogin } from "../setup/cluster/ssh.ts";
import { findFreeVmIds } from "../setup/cluster/vmIds.ts";

/** What setup asks of and does on a cluster, against one lab. */
let lab: Lab;
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "setup-cluster-"));
  lab = await startLab({ dir: join(folder, "lab"), timeScale: 0 });
});

afterAll(async () => {
  await lab?.stop();
  rmSync(folder, { recursive: true, force: true });
});

const password = (username = "root@pam", secret = lab.rootPassword) =>
  ({ kind: "password", username, password: secret }) as const;

const open: PveClient[] = [];
async function session(login: Parameters<typeof logIn>[1] = password()): Promise<Session> {
  const made = await logIn(await lookAtEndpoint(lab.endpoint, {}), login);
  open.push(made.client);
  return made;
}
afterEach(async () => {
  await Promise.all(open.splice(0).map((client) => client.close()));
});

/** A config as setup is about to write it: no login in it yet. */
function fleetOf(set = ""): Fleet {
  const text = `
cluster: { endpoint: "${lab.endpoint}", node: pve1 }
templates: { noble: { vmId: 9000, image: { url: "${lab.image.url}", checksum: "${lab.image.checksum}" } } }
cloneSets: { web: { template: noble, count: 3, namePattern: "web-{n}", firstVmId: 9101, ${set} } }`;
  const config = parse(text) as Record<string, unknown>;
  const { cluster, templates, existing, cloneSets, leftOut } = loadConfig(
    (key) => (config[key] === undefined ? undefined : JSON.stringify(config[key])),
    Object.keys(config),
    {},
  );
  if (!cluster) throw new Error("the config is not well-formed");
  return { cluster, templates, existing, cloneSets, leftOut };
}

describe("the certificate", () => {
  const usual = () => lab.control.certificate(["127.0.0.1", "localhost", "pve1", "pve2"]);

  afterEach(async () => {
    await usual();
  });

  it("is shown without being trusted", async () => {
    const fingerprint = await usual();
    const shown = await lookAtEndpoint(normaliseEndpoint(lab.endpoint.replace("https://", "")), {});
    expect(shown).toMatchObject({
      endpoint: lab.endpoint,
      fingerprint,
      subject: "O=proxmox-golden-fleet lab, CN=lab API",
      issuer: "O=proxmox-golden-fleet lab, CN=lab root CA",
      names: ["127.0.0.1", "localhost", "pve1", "pve2"],
      isForHost: true,
    });
    expect(shown.trustedBy).toBeUndefined();
    expect(shown.untrusted).toMatch(/SELF_SIGNED|UNABLE_TO/);
    for (const text of [
      fingerprint,
      fingerprint.replaceAll(":", "").toLowerCase(),
      `sha256 Fingerprint=${fingerprint}`,
    ])
      expect(isFingerprint(shown, text)).toBe(true);
    expect(isFingerprint(shown, `${fingerprint.slice(0, -2)}00`)).toBe(false);
  });

  it("once accepted brings the cluster's CA, which makes it trusted for the program and the plugin", async () => {
    const accepted = await lookAtEndpoint(lab.endpoint, {});
    const { client } = await session();
    const trust = await settleTrust(client, accepted);
    expect(trust).toMatchObject({ kind: "ca", subject: "O=proxmox-golden-fleet lab, CN=lab root CA" });
    const caFile = join(folder, "ca.pem");
    writeFileSync(caFile, trust.kind === "ca" ? trust.pem : "");
    expect(await verifiedBySystem(lab.endpoint, { SSL_CERT_FILE: caFile })).toBeUndefined();
    // The certificate is renewed, and the CA still does.
    await usual();
    expect((await lookAtEndpoint(lab.endpoint, { SSL_CERT_FILE: caFile })).trustedBy).toBe("SSL_CERT_FILE");
    expect(await verifiedBySystem(lab.endpoint, { SSL_CERT_FILE: caFile })).toBeUndefined();
  });

  it("of a CA that is not to be had is trusted itself", async () => {
    await lab.control.certificate(["127.0.0.1"], { foreign: true });
    const accepted = await lookAtEndpoint(lab.endpoint, {});
    const { client } = await session();
    const trust = await settleTrust(client, accepted);
    expect(trust).toMatchObject({ kind: "certificate", pem: accepted.pem, validTo: accepted.validTo });
    const caFile = join(folder, "certificate.pem");
    writeFileSync(caFile, accepted.pem);
    expect(await verifiedBySystem(lab.endpoint, { SSL_CERT_FILE: caFile })).toBeUndefined();
    // Where that is set already, there is nothing to do.
    const trusted = await lookAtEndpoint(lab.endpoint, { SSL_CERT_FILE: caFile });
    expect(await settleTrust(client, trusted)).toEqual({ kind: "trusted", by: "SSL_CERT_FILE" });
    expect(tlsFor(trusted)).toEqual({ insecure: false });
    const { apiToken } = lab;
    const [id = "", secret = ""] = apiToken.split("=");
    const byFile = new PveClient({
      endpoint: lab.endpoint,
      tls: { caFile, insecure: false },
      login: { kind: "token", id, secret },
    });
    open.push(byFile);
    expect((await readVersion(byFile)).version).toBe("9.2.11");
  });

  it("that is made out to other names says which endpoints would do", async () => {
    await lab.control.certificate(["localhost", "::1", "pve1.example.net", "fd00::11"]);
    const accepted = await lookAtEndpoint(lab.endpoint, {});
    expect(accepted.isForHost).toBe(false);
    const { client } = await session();
    const port = new URL(lab.endpoint).port;
    await expect(settleTrust(client, accepted)).rejects.toMatchObject({
      code: "certificate",
      message: expect.stringContaining("is not made out to 127.0.0.1"),
      todo: [expect.stringMatching(`: https://pve1.example.net:${port}, https://.*:${port}$`)],
    });
  });

  it("with its name in the subject alone is an error: the plugin does not look there", async () => {
    await lab.control.certificate([], { subject: "localhost" });
    const accepted = await lookAtEndpoint(lab.endpoint.replace("127.0.0.1", "localhost"), {});
    const { client } = await session();
    await expect(settleTrust(client, accepted)).rejects.toMatchObject({
      code: "certificate",
      message: expect.stringMatching(/is not made out to localhost, .*; found no name$/),
    });
  });

  it("that has ended is an error", async () => {
    await lab.control.certificate(["127.0.0.1"], { ended: true });
    const accepted = await lookAtEndpoint(lab.endpoint, {});
    const { client } = await session();
    await expect(settleTrust(client, accepted)).rejects.toMatchObject({
      code: "certificate",
      message: expect.stringMatching(/ended on \d{4}-\d\d-\d\d$/),
    });
  });

  it("that changed between two steps is an error, at the next step whichever it is", async () => {
    const accepted = await lookAtEndpoint(lab.endpoint, {});
    const { client } = await session();
    const other = await usual();
    const changed = { code: "certificate-changed", message: expect.stringContaining(other) };
    await expect(logIn(accepted, password())).rejects.toMatchObject(changed);
    await expect(settleTrust(client, accepted)).rejects.toMatchObject(changed);
  });
});

describe("a login", () => {
  it("with a wrong password is refused, and says what to look at", async () => {
    await expect(session(password("root@pam", "wrong"))).rejects.toMatchObject({
      code: "login",
      message: "PVE refuses root@pam with this password: authentication failure",
      todo: [expect.stringContaining("the Linux user on the node"), expect.any(String)],
    });
    await expect(session(password("root", "x"))).rejects.toMatchObject({
      code: "login",
      message: 'found the user "root"; expected user@realm, for example root@pam',
    });
  });

  it("with a wrong or unknown token is refused", async () => {
    const [id = ""] = lab.apiToken.split("=");
    await expect(session({ kind: "token", id, secret: "0000" })).rejects.toMatchObject({
      code: "login",
      message: expect.stringContaining(`PVE refuses the token ${id}: `),
    });
    await expect(session({ kind: "token", id: "golden@pve", secret: "0000" })).rejects.toMatchObject({
      code: "login",
      message: "this is no name of an API token; expected user@realm!name, for example golden@pve!fleet",
    });
  });

  it("of a user with a second factor is not possible, and says what is", async () => {
    await lab.control.secondFactor("root@pam");
    await expect(session()).rejects.toMatchObject({
      code: "second-factor",
      todo: [expect.stringContaining("API token"), expect.stringContaining("pveum")],
    });
    await lab.control.secondFactor("root@pam", false);
    expect(await session()).toMatchObject({ who: "root@pam", version: "9.2.11", canMakeLogins: true });
  });
});

/** What a client of the token is called, and logged in with. */
const tokenLogin = ({ tokenId: id, secret }: { tokenId: string; secret: string }) =>
  ({ kind: "token", id, secret }) as const;

/** What a login may do, each as `path privilege`. */
const held = async (client: PveClient, userid?: string) =>
  Object.entries(await client.get<Record<string, Record<string, number>>>("/access/permissions", { userid })).flatMap(
    ([at, privileges]) => Object.keys(privileges).map((privilege) => `${at} ${privilege}`),
  );

describe("a login of its own", () => {
  const wanted = (user: string) => ({ user, token: "fleet", fleet: fleetOf() });
  /** Everything that setup makes is taken away again. */
  afterEach(async () => {
    const { client } = await session();
    for (const { roleid } of await client.get<{ roleid: string }[]>("/access/roles"))
      if (roleid.startsWith("GoldenFleet")) await client.delete(`/access/roles/${roleid}`);
    for (const { userid } of await client.get<{ userid: string }[]>("/access/users"))
      if (!["root@pam", "fleet@pve"].includes(userid)) await client.delete(`/access/users/${userid}`);
    await lab.control.privileges();
  });
  // The lab's own user and roles would be in the way.
  beforeEach(async () => {
    const { client } = await session();
    for (const { roleid } of await client.get<{ roleid: string }[]>("/access/roles"))
      if (roleid.startsWith("GoldenFleet")) await client.delete(`/access/roles/${roleid}`);
  });

  it("is made by root's password, with what preflight asks for and nothing more", async () => {
    const { client } = await session();
    const plan = await planLogin(client, wanted("golden@pve"));
    expect(plan).toMatchObject({ tokenId: "golden@pve!fleet", isPossible: true, privilegeSeparation: false });
    expect(plan.changes.map(({ what, action, name }) => `${action} ${what} ${name}`)).toEqual([
      "make user golden@pve",
      "make role GoldenFleet",
      "make role GoldenFleetNodesPve1",
      "make role GoldenFleetSdnZonesLocalnetworkVmbr0",
      "make role GoldenFleetStorageLocal",
      "make role GoldenFleetStorageLocalLvm",
      "make role GoldenFleetVms",
      "make acl /",
      "make acl /nodes/pve1",
      "make acl /sdn/zones/localnetwork/vmbr0",
      "make acl /storage/local",
      "make acl /storage/local-lvm",
      "make acl /vms",
      "make token golden@pve!fleet",
    ]);
    // So far it was a plan.
    expect((await client.get<{ userid: string }[]>("/access/users")).map(({ userid }) => userid)).not.toContain(
      "golden@pve",
    );

    const made = await applyLogin(client, plan);
    expect(made.made).toHaveLength(14);
    const own = await session(tokenLogin(made));
    expect(await checkLogin(own.client, fleetOf())).toEqual([]);
    expect((await held(own.client)).sort()).toEqual(
      plan.changes
        .flatMap(({ what, name, privileges = [] }) => (what === "acl" ? privileges.map((one) => `${name} ${one}`) : []))
        .sort(),
    );
    expect(own.canMakeLogins).toBe(false);
    const privileges = await held(own.client);
    expect(privileges).toContain("/vms VM.Clone");
    // Less than that, and preflight misses it.
    await client.put("/access/roles/GoldenFleetVms", {
      privs: privileges.flatMap((one) => /^\/vms (?!VM.Clone)(.*)/.exec(one)?.[1] ?? []).join(","),
    });
    expect(await checkLogin(own.client, fleetOf())).toMatchObject([{ path: "/vms", privileges: ["VM.Clone"] }]);
  });

  it("that exists stays as it is; what a larger config needs is added, and a token is not made twice", async () => {
    const { client } = await session();
    await applyLogin(client, await planLogin(client, wanted("golden@pve")));
    const again = await planLogin(client, wanted("golden@pve"));
    expect(again).toMatchObject({ isPossible: false, otherToken: "fleet-2", privilegeSeparation: false });
    expect([...new Set(again.changes.map(({ action }) => action))]).toEqual(["keep", "conflict"]);
    await expect(applyLogin(client, again)).rejects.toMatchObject({
      code: "exists",
      message: expect.stringContaining("token golden@pve!fleet exists: its secret was shown once"),
    });

    const larger = fleetOf("waitFor: agent");
    const plan = await planLogin(client, { user: "golden@pve", token: "fleet-2", fleet: larger });
    expect(plan.changes.filter(({ action }) => action !== "keep").map(({ text }) => text)).toEqual([
      "role GoldenFleetVms lacks VM.GuestAgent.Audit: that is added, nothing is taken away",
      "token golden@pve!fleet-2 is made; it has what its user has",
    ]);
    const made = await applyLogin(client, plan);
    expect(await checkLogin((await session(tokenLogin(made))).client, larger)).toEqual([]);
  });

  it("of a user that has more gets ACLs of its own, so that the token has no more than the config needs", async () => {
    const { client } = await session();
    const plan = await planLogin(client, wanted("root@pam"));
    expect(plan.privilegeSeparation).toBe(true);
    expect(plan.changes.filter(({ what }) => what === "acl" || what === "token").map(({ line }) => line)).toContain(
      "pveum acl modify /vms --roles GoldenFleetVms --tokens 'root@pam!fleet'",
    );
    const made = await applyLogin(client, plan);
    const own = await session(tokenLogin(made));
    expect(await checkLogin(own.client, fleetOf())).toEqual([]);
    expect((await held(own.client)).filter((one) => /Sys\.Modify|Permissions/.test(one))).toEqual([]);
    await client.delete("/access/users/root@pam/token/fleet");
  });

  it("of a user that is disabled is not made", async () => {
    const { client } = await session();
    await client.post("/access/users", { userid: "golden@pve", enable: false });
    expect(await planLogin(client, wanted("golden@pve"))).toMatchObject({
      isPossible: false,
      otherUser: "golden-2@pve",
    });
  });

  it("can be made by the printed lines, and what is missing until then is told", async () => {
    const { client } = await session();
    const lines = await pveumLines(wanted("golden@pve"), client);
    expect(await pveumLines(wanted("golden@pve"))).toEqual(lines);
    expect(lines.at(-1)).toMatch(/^pveum user token add golden@pve fleet --privsep 0 /);
    const value = await asRoot(
      client,
      lines.filter((line) => !line.includes("acl modify /vms ")),
    );
    const own = await session({ kind: "token", id: "golden@pve!fleet", secret: value });
    const missing = await checkLogin(own.client, fleetOf());
    expect(missing.map(({ path }) => path)).toEqual(["/vms"]);
    await asRoot(client, [...(missing[0]?.todo ?? [])]);
    expect(await checkLogin(own.client, fleetOf())).toEqual([]);
  });

  it("cannot be made by a user without the rights: it names them, and has the lines", async () => {
    const { client } = await session();
    await client.post("/access/users", { userid: "ops@pve", password: "ops-Secret1" });
    await client.put("/access/acl", { path: "/", users: "ops@pve", roles: "PVEAuditor" });
    const ops = await session(password("ops@pve", "ops-Secret1"));
    expect(ops.canMakeLogins).toBe(false);
    await expect(planLogin(ops.client, wanted("golden@pve"))).rejects.toMatchObject({
      code: "rights",
      message:
        "ops@pve may not make a login for the stack: it lacks Realm.AllocateUser on /access/realm/pve, User.Modify on /access/groups, Sys.Modify on /access and Permissions.Modify on /",
      todo: await pveumLines(wanted("golden@pve")),
    });
  });

  it("that breaks off half-way says what was made, leaves no token, and is finished by the next run", async () => {
    const { client } = await session();
    await lab.control.fail({ method: "PUT", path: "/access/acl", status: 500, message: "ACL update failed: cfs-lock" });
    const first = await applyLogin(client, await planLogin(client, wanted("golden@pve"))).catch((one) => one);
    expect(first).toMatchObject({ code: "refused" });
    expect(first.message).toMatch(
      /^the ACL on \/ was not made: ACL update failed: cfs-lock\. Made before that, and left as it is: user golden@pve, role GoldenFleet, .* and role GoldenFleetVms$/,
    );
    const made = await applyLogin(client, await planLogin(client, wanted("golden@pve")));
    expect(made.made[0]).toBe("ACL on /");
    expect(await checkLogin((await session(tokenLogin(made))).client, fleetOf())).toEqual([]);

    await client.delete("/access/roles/GoldenFleetVms");
    await lab.control.fail({
      method: "POST",
      path: "/access/roles",
      status: 403,
      message: "Permission check failed (/access, Sys.Modify)",
    });
    const refused = planLogin(client, { ...wanted("golden@pve"), token: "third" });
    await expect(applyLogin(client, await refused)).rejects.toMatchObject({
      code: "rights",
      message:
        "role GoldenFleetVms was not made: Permission check failed (/access, Sys.Modify). Nothing was made before that",
    });

    // With privilege separation, ACLs come after the token.
    const plan = await planLogin(client, { ...wanted("root@pam"), token: "half" });
    await lab.control.fail({ method: "PUT", path: "/access/acl", status: 500, message: "ACL update failed: cfs-lock" });
    const second = await applyLogin(client, plan).catch((one) => one);
    expect(second.message).toMatch(/Made before that, and left as it is: role GoldenFleetVms$/);
    expect(await client.get("/access/users/root@pam/token")).not.toContainEqual(
      expect.objectContaining({ tokenid: "half" }),
    );
  });
});

describe("what the cluster has", () => {
  it("nodes, with the one that answers, and their DNS", async () => {
    const { client } = await session();
    await lab.control.nodeOnline("pve2", false);
    expect(await listClusterNodes(client)).toEqual([
      {
        node: "pve1",
        online: true,
        isEndpoint: true,
        version: "9.2.11",
        cpus: 16,
        memory: 64 * 2 ** 30,
        freeMemory: expect.any(Number),
      },
      { node: "pve2", online: false, isEndpoint: false },
    ]);
    await lab.control.nodeOnline("pve2", true);
    expect(await readNodeDns(client, "pve1")).toEqual({ servers: ["10.0.0.1"], searchDomain: "example.net" });
  });

  it("as far as the login may see it", async () => {
    const [id = "", secret = ""] = lab.apiToken.split("=");
    await lab.control.privileges("/nodes/pve1", ["Sys.AccessNetwork"]);
    await lab.control.privileges("/nodes", []);
    await lab.control.privileges("/", []);
    const { client } = await session({ kind: "token", id, secret });
    expect((await listClusterNodes(client))[0]).toEqual({ node: "pve1", online: true, version: "9.2.11" });
    expect(await readNodeDns(client, "pve1")).toBeUndefined();
    expect((await findFreeVmIds(client, 3)).template).toBe(9000);
    await lab.control.privileges();
  });

  it("datastores by content type; one that lacks it gets it, and keeps what it has", async () => {
    const { client } = await session();
    await lab.control.storage("local", { content: "backup,iso,vztmpl" });
    const { have, could } = choiceFor(await listNodeDatastores(client, "pve1"), "import");
    expect(have).toEqual([]);
    expect(could).toMatchObject([
      { storage: "local", type: "dir", active: true, couldHave: ["import", "snippets", "images"] },
    ]);
    await addContent(client, "local", "import");
    await addContent(client, "local", "snippets");
    const after = await listNodeDatastores(client, "pve1");
    expect(after.find(({ storage }) => storage === "local")?.content.sort()).toEqual([
      ...["backup", "import", "iso", "snippets", "vztmpl"],
    ]);
    expect(choiceFor(after, "images").have.map(({ storage }) => storage)).toEqual(["local-lvm"]);
    await expect(addContent(client, "local-lvm", "snippets")).rejects.toMatchObject({ code: "refused" });
    // Somebody else is quicker.
    await lab.control.justBefore({ method: "PUT", path: "/storage/local" }, "storage", {
      name: "local-lvm",
      content: "images",
    });
    await lab.control.storage("local", { content: "iso" });
    await expect(addContent(client, "local", "import")).rejects.toMatchObject({ code: "changed" });
    await lab.control.storage("local", { content: "backup,import,iso,snippets,vztmpl" });
    await lab.control.storage("local-lvm", { content: "images,rootdir" });
  });

  it("a datastore is not changed by a login that may not", async () => {
    const [id = "", secret = ""] = lab.apiToken.split("=");
    await lab.control.storage("local", { content: "iso,snippets" });
    await lab.control.privileges("/storage", []);
    await lab.control.privileges("/storage/local", ["Datastore.Allocate", "Datastore.Audit"]);
    const { client } = await session({ kind: "token", id, secret });
    await expect(addContent(client, "local", "import")).rejects.toMatchObject({
      code: "rights",
      message: expect.stringContaining("(/storage, Datastore.Allocate)"),
      todo: ["pvesm set local --content iso,snippets,import"],
    });
    await lab.control.privileges();
    await lab.control.storage("local", { content: "backup,import,iso,snippets,vztmpl" });
  });

  it("bridges and vnets, PCI mappings, used addresses", async () => {
    const { client } = await session();
    await lab.control.vnets({ web: "dmz" });
    expect(await listBridges(client, "pve1")).toMatchObject([
      { name: "vmbr0", kind: "bridge", cidr: "10.0.0.2/24", gateway: "10.0.0.1" },
      { name: "web", kind: "vnet", zone: "dmz" },
    ]);
    const inZone = { user: "golden@pve", token: "fleet", fleet: fleetOf("nics: [{ bridge: web }]") };
    expect((await planLogin(client, inZone)).changes.map(({ name }) => name)).toContain("/sdn/zones/dmz/web");
    await lab.control.vnets({});
    expect(await listNodeMappings(client, "pve1")).toEqual([{ id: "rtx4090", devices: 1, mdev: false, problems: [] }]);
    expect(await listNodeMappings(client, "pve2")).toEqual([]);
    await lab.control.addVm({ vmid: 150, config: { name: "mail", ipconfig0: "ip=10.0.0.25/24" } });
    const { used, unread } = await readUsedAddresses(client);
    expect(unread).toEqual([]);
    expect(checkRange("10.0.0.21-10.0.0.30/24", 5, { used, gateway: "10.0.0.1" })).toEqual([
      { severity: "fail", text: '10.0.0.25 is the address of VM 150 "mail"' },
    ]);
    await lab.control.deleteVm(150);
  });

  it("free VMIDs, in the cluster's range; without any, an error", async () => {
    const { client } = await session();
    expect(await findFreeVmIds(client, 50)).toEqual({ template: 9000, clones: { first: 9101, count: 50 } });
    await lab.control.datacenter({ "next-id": { lower: "100", upper: "105" } });
    expect(await findFreeVmIds(client, 3)).toMatchObject({ template: 101, clones: { first: 102 } });
    await expect(findFreeVmIds(client, 4)).rejects.toMatchObject({
      code: "none",
      message: "there are no 5 free VMIDs in a row from 100 to 104, for a template and 4 clones",
    });
    await lab.control.datacenter({});
  });
});

describe("SSH to a node", () => {
  let home: string | undefined;
  const env = { ...process.env };
  beforeAll(() => {
    home = mkdtempSync(join(folder, "home-"));
    process.env.HOME = home;
  });
  afterAll(() => {
    process.env.HOME = env.HOME;
  });

  it("shows its host keys, which go into known_hosts once and are looked for from then on", async () => {
    const { client } = await session();
    const { address, port } = lab.ssh;
    const ssh = await lookAtNodeSsh(client, "pve1", { address, port });
    const [type = "", blob = ""] = readFileSync(lab.ssh.hostKeyFile, "utf8").split(" ");
    expect(ssh).toMatchObject({ known: "unknown", knownHostsLines: [`[${address}]:${port} ${type} ${blob.trim()}`] });
    expect(ssh.keys).toMatchObject([
      { type, line: `${type} ${blob.trim()}`, fingerprint: expect.stringMatching(/^SHA256:/) },
    ]);
    rememberNodeSsh(ssh);
    const again = await lookAtNodeSsh(client, "pve1", { address, port });
    expect(again.known).toBe("known");
    rememberNodeSsh(again);
    const file = readFileSync(join(home ?? "", ".ssh", "known_hosts"), "utf8");
    expect(file.trim().split("\n")).toEqual(ssh.knownHostsLines);
  });

  it("lets in a key that may write the snippets, and says why not", async () => {
    const { client } = await session();
    const { address, port, username, privateKeyFile } = lab.ssh;
    const ssh = await lookAtNodeSsh(client, "pve1", { address, port });
    const login = { username, privateKeyFile };
    const file = join(home ?? "", ".ssh", "known_hosts");
    rmSync(file, { force: true });
    expect(await trySshLogin(ssh, login, "/var/lib/vz/snippets")).toBeUndefined();
    expect(existsSync(file)).toBe(false);
    rememberNodeSsh({ ...ssh, known: "unknown" });
    expect(await trySshLogin(ssh, login, "/var/lib/none")).toBe(`there is no folder /var/lib/none on ${address}`);
    expect(await trySshLogin(ssh, { ...login, privateKeyFile: lab.caFile }, "/var/lib/vz/snippets")).toMatch(/key/i);
    expect(await trySshLogin(ssh, { username }, "/var/lib/vz/snippets", {})).toMatch(
      /neither a private key nor an SSH agent/,
    );
  });

  it("with another key than known_hosts has is left alone", async () => {
    const { client } = await session();
    const { address, port } = lab.ssh;
    await lab.control.hostKeys("pve1");
    const ssh = await lookAtNodeSsh(client, "pve1", { address, port });
    expect(ssh.known).toBe("changed");
    expect(() => rememberNodeSsh(ssh)).toThrow(`~/.ssh/known_hosts has another key for [${address}]:${port}`);
  });
});

/** Runs `pveum` lines by the API; gives the secret of the token that they make. */
async function asRoot(client: PveClient, lines: readonly string[]): Promise<string> {
  let secret = "";
  for (const line of lines) {
    const [, userid, comment] = /^pveum user add (\S+) --comment (\S+)$/.exec(line) ?? [];
    const [, verb, roleid, privs] =
      /^pveum role (add|modify) (\S+) (?:--append 1 )?--privs "([^"]+)"$/.exec(line) ?? [];
    const [, at, roles, who = "", once] =
      /^pveum acl modify (\S+) --roles (\S+) ((?:--users \S+|--tokens \S+| )+?)( --propagate 0)?$/.exec(line) ?? [];
    const [, owner, name, privsep] = /^pveum user token add (\S+) (\S+) --privsep ([01])/.exec(line) ?? [];
    if (userid) await client.post("/access/users", { userid, comment });
    else if (verb === "add") await client.post("/access/roles", { roleid, privs });
    else if (verb === "modify") await client.put(`/access/roles/${roleid}`, { privs, append: true });
    else if (at) {
      const to = Object.fromEntries(
        [...who.matchAll(/--(users|tokens) (\S+)/g)].map(([, kind, one = ""]) => [kind, one.replaceAll("'", "")]),
      );
      await client.put("/access/acl", { path: at, roles, ...to, propagate: once === undefined });
    } else if (name) {
      const made = await client.post<{ value: string }>(`/access/users/${owner}/token/${name}`, { privsep });
      secret = made.value;
    } else throw new Error(`no such line: ${line}`);
  }
  return secret;
}

import { spawn } from "node:child_process";
import { cp, mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { until } from "./kill.ts";
import { openProject, type Project } from "./project.ts";

const root = join(import.meta.dirname, "..");
const PASSWORD = "not the password of root";

let project: Project;
/** Of a shell: Node is the one of npm, as below `npm run`. */
let shell: Record<string, string>;

beforeAll(async () => {
  project = await openProject();
  const { dir, lab, env } = project;
  for (const name of ["setup", "toolchain"]) await cp(join(root, name), join(dir, name), { recursive: true });
  await symlink(join(root, ".toolchain"), join(dir, ".toolchain"));
  // What setup makes.
  await mkdir(join(dir, ".fleet"));
  await symlink(join(lab.dir, "pulumi"), join(dir, ".fleet", "state"));
  await writeFile(join(dir, ".fleet", "passphrase"), "lab\n", { mode: 0o600 });
  shell = {
    PATH: [dirname(process.execPath), "/usr/local/bin", "/usr/bin", "/bin"].join(":"),
    HOME: env.HOME ?? "",
    PROXMOX_VE_API_TOKEN: lab.apiToken,
  };
});
afterAll(() => project?.close());

interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** Runs a command to its end. `started` gets the id of its group, which a terminal's Ctrl-C goes to. */
function run(file: string, args: string[], env = shell, started?: (group: number) => void): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { cwd: project.dir, env, stdio: ["ignore", "pipe", "pipe"], detached: true });
    const ended: Ended = { code: null, stdout: "", stderr: "" };
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      ended.stdout += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      ended.stderr += text;
    });
    child.once("error", reject).once("close", (code) => resolve({ ...ended, code }));
    if (child.pid !== undefined) started?.(-child.pid);
  });
}

const fleet = (...args: string[]) => run(process.execPath, ["setup/fleet.ts", ...args]);
const up = async (...args: string[]) => {
  const ended = await fleet("up", "--yes", "--skip-preview", ...args);
  expect(ended.code, ended.stdout + ended.stderr).toBe(0);
  return ended;
};
/** What a run would do, by operation and name; what preflight remembers is nobody's VM. */
async function planned(...args: string[]): Promise<string[]> {
  const { code, stdout, stderr } = await fleet("preview", "--json", ...args);
  expect(code, stdout + stderr).toBe(0);
  const { steps } = JSON.parse(stdout) as { steps: { op: string; urn: string }[] };
  const named = steps.map(({ op, urn }) => ({ op, name: urn.split("::").at(-1) ?? "" }));
  return named
    .filter(({ op, name }) => op !== "same" && /^(vm-|9\d{3}-)/.test(name))
    .map(({ op, name }) => `${op} ${name}`)
    .sort();
}
const vms = () => project.lab.control.vms();
const ours = async () =>
  Object.keys(await vms())
    .map(Number)
    .filter((vmId) => vmId >= 9000);
/** The lines that are ready to be pasted. */
const plain = ({ stderr }: Ended) =>
  stderr
    .split("\n")
    .filter((line) => /^(export|pulumi) /.test(line))
    .join("\n");

describe("doctor", () => {
  it("shows all that was looked at; the plugin trusts the CA beside the system's", async () => {
    const { code, stdout, stderr } = await fleet("doctor");
    expect(code, stdout + stderr).toBe(0);
    expect(stdout).toContain(`ok   api-reachable: ${project.lab.endpoint} answers`);
    expect(stdout).toMatch(/ok {3}plugin-trust:/);
    expect(stdout).toMatch(/\n\d+ checks passed/);
    const bundle = await readFile(join(project.dir, ".fleet", "certificates", "test-trusted.pem"), "utf8");
    expect(bundle).toContain((await readFile(project.lab.caFile, "utf8")).trim());
    expect(await ours()).toEqual([]);
  });

  it("with a fingerprint in the place of a CA, the plugin is handed the certificate; another one ends the run before it begins", async () => {
    const { fingerprint, caFile } = project.lab;
    const pin = (tls: object) =>
      project.configure(({ cluster }) => {
        cluster.tls = tls;
      });
    await pin({ fingerprint });
    const { code, stdout } = await fleet("doctor");
    expect([code, stdout]).toEqual([0, expect.stringMatching(/ok {3}plugin-trust:/)]);
    await pin({ fingerprint: `${fingerprint.slice(0, -2)}${fingerprint.endsWith("00") ? "01" : "00"}` });
    const other = await fleet("up", "--yes", "--skip-preview");
    expect([other.code, other.stdout]).toEqual([1, ""]);
    expect(other.stderr).toContain(`cluster.tls.fingerprint: found ${fingerprint} at ${project.lab.endpoint}`);
    await pin({ caFile });
  });

  it("says what is wrong, and shows no secret", async () => {
    const { PROXMOX_VE_API_TOKEN: _, ...rest } = shell;
    const env = { ...rest, PROXMOX_VE_USERNAME: "root@pam", PROXMOX_VE_PASSWORD: PASSWORD };
    const { code, stdout, stderr } = await run(process.execPath, ["setup/fleet.ts", "doctor"], env);
    expect([code, stdout]).toEqual([1, expect.stringMatching(/FAIL login: [\s\S]*\n1 problem,/)]);
    expect(stdout + stderr).not.toContain(PASSWORD);
  });

  it("says in Pulumi's words what Pulumi does not do", async () => {
    const env = { ...shell, PULUMI_CONFIG_PASSPHRASE: "not the passphrase" };
    await project.configure();
    const secret = await project.encrypt("golden@pve!fleet=hush");
    const file = join(project.dir, "Pulumi.test.yaml");
    const text = await readFile(file, "utf8");
    const token = `  proxmox-golden-fleet:apiToken: ${JSON.stringify(secret)}`;
    await writeFile(file, text.replace(/^config:$/m, `config:\n${token}`));
    const { code, stderr } = await run(process.execPath, ["setup/fleet.ts", "doctor"], env);
    expect([code, stderr]).toEqual([1, expect.stringContaining("incorrect passphrase")]);
    await project.configure();
  });
});

describe("the role's tags, one after the other", () => {
  it("--tags preflight looks at everything, and makes nothing", async () => {
    await up("--tags", "preflight");
    expect(await ours()).toEqual([]);
    await project.configure(({ templates }) => {
      Object.assign(templates?.noble ?? {}, { vmId: 100 });
    });
    const taken = await fleet("up", "--yes", "--skip-preview", "--tags", "preflight");
    expect([taken.code === 0, taken.stdout + taken.stderr]).toEqual([
      false,
      expect.stringContaining("VMID 100 is taken"),
    ]);
    await project.configure(({ templates }) => {
      Object.assign(templates?.noble ?? {}, { vmId: 9000 });
    });
  });

  it("--tags image", async () => {
    const { stdout } = await up("--tags", "image");
    expect(stdout).toContain("9000-image created");
    expect(await ours()).toEqual([]);
  });

  it("--tags vm, and its parts", async () => {
    const plan = await planned("--tags", "vm");
    expect(plan).toEqual(expect.arrayContaining(["create 9000-vm"]));
    expect(plan.filter((step) => /image|conversion|vm-91/.test(step))).toEqual([]);
    await up("--tags", "vm,create");
    expect(await ours()).toEqual([9000]);
    expect((await vms())["9000"]?.config.template).toBeUndefined();
  });

  it("--tags template,create", async () => {
    await up("--tags", "template,create");
    expect(await ours()).toEqual([9000]);
    expect(String((await vms())["9000"]?.config.template)).toBe("1");
  });

  it("--limit by set and by name", async () => {
    expect(await planned("--limit", "web")).toEqual(["create vm-9101", "create vm-9102", "create vm-9103"]);
    await up("--limit", "web-1");
    expect(await ours()).toEqual([9000, 9101]);
    expect(await planned("--tags", "template")).toEqual(["create vm-9102", "create vm-9103"]);
  });

  it("--skip-tags clones makes none, and says what becomes of those that are there", async () => {
    await project.configure(({ cloneSets }) => {
      const clones = [2, 3].map((n) => ({ name: `web-${n}`, vmId: 9100 + n }));
      Object.assign(cloneSets?.web ?? {}, { clones });
    });
    // One that is no longer in the config depends on preflight, too.
    expect(await planned("--limit", "web-3")).toEqual(["create vm-9103"]);
    const { stderr } = await up("--skip-tags", "clones");
    expect(stderr).toContain("# Clones that exist stay as they are, and none is made");
    expect(await ours()).toEqual([9000, 9101]);
    expect(await planned("--skip-tags", "image,template")).toEqual([
      "create vm-9102",
      "create vm-9103",
      "delete vm-9101",
    ]);
  });

  it("--tags clones: those that the config has, and no others", async () => {
    await up("--tags", "clones");
    expect(await ours()).toEqual([9000, 9102, 9103]);
  });

  it("refresh and destroy of a part", async () => {
    const refreshed = await fleet("refresh", "--yes", "--skip-preview", "--tags", "clones");
    expect([refreshed.code, refreshed.stdout]).toEqual([0, expect.stringMatching(/2 unchanged/)]);
    const destroyed = await fleet("destroy", "--yes", "--skip-preview", "--limit", "web-2");
    expect([destroyed.code, await ours()], destroyed.stdout).toEqual([0, [9000, 9103]]);
    const all = await fleet("destroy", "--yes", "--skip-preview", "--tags", "image");
    expect([all.code, await ours()], all.stdout).toEqual([0, []]);
  });

  it("--tags template brings along what it needs and what was never made", async () => {
    const { stderr } = await up("--tags", "template");
    expect(stderr).toContain("# templates.noble: image and VM were never made; this run makes them too.");
    expect(await ours()).toEqual([9000, 9102, 9103]);
    expect(await planned()).toEqual([]);
  });

  it("a tag or name that there is not: nothing runs", async () => {
    const [tag, name] = [await fleet("up", "--tags", "clone"), await fleet("up", "--limit", "webs")];
    expect([tag.code, tag.stdout, tag.stderr]).toEqual([2, "", expect.stringContaining('did you mean "clones"?')]);
    expect([name.code, name.stdout, name.stderr]).toEqual([2, "", expect.stringContaining('did you mean "web"?')]);
  });
});

describe("it is Pulumi", () => {
  it("the line that it prints does the same in a shell, with the same exit code and nothing secret in it", async () => {
    await project.configure(({ cloneSets }) => {
      Object.assign(cloneSets?.web ?? {}, { clones: [{ name: "web-4", vmId: 9104 }] });
    });
    const ours = await fleet("preview", "--expect-no-changes", "--limit", "web-4");
    expect(ours.code).not.toBe(0);
    expect(plain(ours)).not.toContain(project.lab.apiToken);
    const typed = await run("sh", ["-c", plain(ours)]);
    expect(typed.code, typed.stdout + typed.stderr).toBe(ours.code);
    const clones = (text: string) =>
      text
        .split("\n")
        .filter((line) => /vm-9|Resources|to create/.test(line))
        .map((line) => line.trim());
    expect(clones(typed.stdout)).toEqual(clones(ours.stdout));
    expect(clones(typed.stdout).join()).toContain("vm-9104");
  });

  it("any other command: its output alone is on stdout", async () => {
    const { code, stdout, stderr } = await fleet("stack", "output", "clones", "--json");
    expect([code, Object.keys(JSON.parse(stdout))]).toEqual([0, ["web"]]);
    expect(stderr).toContain("pulumi stack output clones --json");
  });

  it("several stacks and none selected: nobody guesses", async () => {
    const other = await fleet("stack", "init", "other", "--no-select");
    expect(other.code, other.stderr).toBe(0);
    expect((await fleet("stack", "unselect")).code).toBe(0);
    const { code, stderr } = await fleet("preview");
    expect([code, stderr]).toEqual([
      2,
      expect.stringContaining("there are the stacks other and test, and none is selected"),
    ]);
    expect((await fleet("stack", "rm", "other", "--yes")).code).toBe(0);
  });

  it("Ctrl-C is Pulumi's: it ends the run, and leaves no lock", async () => {
    await project.lab.control.timeScale(1);
    let group = 0;
    const running = run(process.execPath, ["setup/fleet.ts", "up", "--yes", "--skip-preview"], shell, (id) => {
      group = id;
    });
    await until(async () => (await project.lab.control.state()).running.some((upid) => upid.includes(":qmclone:")));
    process.kill(group, "SIGINT");
    const { code, stdout, stderr } = await running;
    await project.lab.control.timeScale(0.02);
    expect([code, stdout + stderr]).toEqual([expect.any(Number), expect.stringMatching(/cancel/i)]);
    expect(code).not.toBe(0);
    await until(async () => (await project.lab.control.state()).running.length === 0);
    await up();
    expect(await ours()).toEqual([9000, 9104]);
  });
});

describe("what the config leaves to the cluster", () => {
  const names = async () =>
    Object.entries(await vms())
      .filter(([vmId]) => Number(vmId) >= 9300)
      .map(([vmId, { name }]) => `${vmId} ${name}`);

  beforeAll(async () => {
    await project.configure((config) => {
      Object.assign(config, {
        templates: { debian: { existing: { vmId: 900 } } },
        cloneSets: {
          lab: {
            template: "debian",
            count: 3,
            namePattern: "lab-{n}",
            vmIds: "9300-9309",
            start: false,
            cloudInit: { runCommands: ["echo {name}"] },
          },
        },
      });
    });
  });

  it("is found by doctor, and changes nothing", async () => {
    const { code, stdout, stderr } = await fleet("doctor");
    expect(code, stdout + stderr).toBe(0);
    expect(stdout).toContain("ok   existing-template: 1 template made elsewhere can be cloned");
    expect(stdout).toContain("3 VMIDs are free or ours");
  });

  it("has names for --limit, also before anything is made", async () => {
    const { stdout, stderr } = await up("--limit", "lab-2");
    expect(await names(), stdout + stderr).toEqual(["9301 lab-2"]);
    await up();
    expect(await names()).toEqual(["9300 lab-1", "9301 lab-2", "9302 lab-3"]);
    expect(await planned()).toEqual([]);
  });

  it("goes away with --tags clones", async () => {
    const { code, stdout, stderr } = await fleet("destroy", "--yes", "--tags", "clones");
    expect(code, stdout + stderr).toBe(0);
    expect(await names()).toEqual([]);
    expect((await fleet("destroy", "--yes")).code).toBe(0);
  });
});

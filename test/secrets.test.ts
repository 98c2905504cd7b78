import { readdir, readFile, rename } from "node:fs/promises";
import { join, relative } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openProject, type Project, type Run } from "./project.ts";

/** Parts of the encrypted values, so that a text that Pulumi's CLI knows and hides is not what is looked for. */
const CANARIES = {
  command: "canary-command-5d1e",
  nextCommand: "canary-next-5d1e",
  file: "canary-file-5d1e",
  vendor: "canary-vendor-5d1e",
  user: "canary-user-5d1e",
  network: "canary-network-5d1e",
  notes: "canary-notes-5d1e",
  cloneNotes: "canary-clones-5d1e",
  login: "canary-login-5d1e",
  query: "canary-query-5d1e",
  listLogin: "canary-list-5d1e",
};
type Canary = keyof typeof CANARIES;

describe("what is encrypted in the stack config", () => {
  let project: Project;
  /** What the engine has said, by run. */
  const said: Record<string, string> = {};

  const run = async (title: string, command: string, args: string[] = []): Promise<Run> => {
    const result = await project.pulumi(command, args);
    said[title] = result.output;
    return result;
  };

  const noble = () => {
    const template = project.config.templates?.noble;
    if (!template) throw new Error("the config has no template noble");
    return template;
  };

  /** The files below the project's folder that hold a text. */
  async function filesWith(text: string): Promise<string[]> {
    const entries = await readdir(project.dir, { recursive: true, withFileTypes: true });
    const files = entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name));
    const found = await Promise.all(files.map(async (file) => ((await readFile(file)).includes(text) ? [file] : [])));
    return found.flat().map((file) => relative(project.dir, file));
  }

  /** Where canaries are that only the node may have: `command in what up said`. */
  async function leaks(): Promise<string[]> {
    const texts = {
      ...Object.fromEntries(Object.entries(said).map(([title, text]) => [`what ${title} said`, text])),
      "the exported state": await project.state(),
      "the outputs": JSON.stringify(await project.outputs()),
    };
    const found = await Promise.all(
      Object.entries(CANARIES).map(async ([name, canary]) => [
        ...Object.entries(texts).flatMap(([where, text]) => (text.includes(canary) ? [`${name} in ${where}`] : [])),
        ...(await filesWith(canary)).flatMap((file) => {
          const isNodes = file.startsWith("lab/") && !/^lab\/(pulumi|home)\//.test(file);
          return isNodes ? [] : [`${name} in ${file}`];
        }),
      ]),
    );
    return found.flat();
  }

  /** The canaries that are in a snippet on the node. */
  const onNode = async () => {
    const names = Object.keys(CANARIES) as Canary[];
    const found = await Promise.all(
      names.map(async (name) =>
        (await filesWith(CANARIES[name])).some((f) => f.includes("/snippets/")) ? [name] : [],
      ),
    );
    return found.flat();
  };

  beforeAll(async () => {
    project = await openProject();
    const { lab } = project;
    const withLogin = (url: string, login: string) => url.replace("://", `://reader:${login}@`);
    const command = await project.encrypt(`echo ${CANARIES.command} > /root/token`);
    const content = await project.encrypt(`first: "line"\n  key: ${CANARIES.file}\n`);
    const vendor = await project.encrypt(`it's "${CANARIES.vendor}": yes`);
    const user = await project.encrypt(`# ${CANARIES.user}`);
    const network = await project.encrypt(CANARIES.network);
    const description = await project.encrypt(`ask ${CANARIES.notes}`);
    const cloneNotes = await project.encrypt(`ask ${CANARIES.cloneNotes}`);
    const url = await project.encrypt(`${withLogin(lab.image.url, CANARIES.login)}?token=${CANARIES.query}`);
    const checksumUrl = await project.encrypt(withLogin(lab.image.checksumUrl, CANARIES.listLogin));
    await project.configure((config) => {
      config.templates = {
        noble: {
          vmId: 9000,
          description,
          image: { url, checksumUrl, keepImage: false },
          cloudInit: {
            user: "ubuntu",
            runCommands: ["echo plain > /run/plain", command, ["sh", "-c", command]],
            writeFiles: [{ path: "/etc/token", content }],
            vendor: { final_message: vendor },
            userData: { bootcmd: [user] },
            network: { version: 2, wifis: { wl0: { "access-points": { home: { password: network } } } } },
          },
        },
      };
      config.cloneSets = {
        web: { template: "noble", mode: "full", clones: [{ name: "web-1", vmId: 9101, description: cloneNotes }] },
      };
    });
  });
  afterAll(() => project?.close());

  it("is not told when the config is wrong just there, and hides no password that is not encrypted", async () => {
    const { writeFiles, ...rest } = noble().cloudInit ?? {};
    const permissions = await project.encrypt(`${CANARIES.file} ${"x".repeat(80)}`);
    await project.configure(() => {
      noble().cloudInit = { ...rest, writeFiles: [{ path: "/etc/token", content: "", permissions }] };
    });
    const preview = await run("preview of a wrong config", "preview");
    await project.configure(() => {
      noble().cloudInit = { ...rest, ...(writeFiles && { writeFiles }) };
    });
    expect(preview.diagnostics).toMatch(
      /templates\.noble\.cloudInit\.writeFiles\[0\]\.permissions: found the value \(secret\); expected an octal mode/,
    );
    await project.configure(() => {
      noble().cloudInit = { ...rest, ...(writeFiles && { writeFiles }), password: "plain" };
    });
    const plain = await run("preview of a plain password", "preview");
    await project.configure(() => {
      noble().cloudInit = { ...rest, ...(writeFiles && { writeFiles }) };
    });
    expect(plain.diagnostics).toContain(
      "templates.noble.cloudInit.password: found in plain text; expected a secret: pulumi config set --secret --path",
    );
    expect(await leaks()).toEqual([]);
  });

  it("is not told when the list of checksums cannot be read", async () => {
    await project.lab.control.images({ errors: 1, status: 403, only: "SHA256SUMS" });
    const up = await run("up without checksums", "up");
    expect(up.code).not.toBe(0);
    expect(up.diagnostics).toMatch(/could not find the checksum in .*\n.*the server answered 403/);
    expect(await leaks()).toEqual([]);
  });

  it("is not told when the image cannot be downloaded", async () => {
    await project.lab.control.images({
      errors: 1,
      status: 403,
      only: new URL(project.lab.image.url).pathname.slice(1),
    });
    const up = await run("up without image", "up");
    expect(up.code).not.toBe(0);
    expect(up.diagnostics).toMatch(/could not download .*(\n.*)*ERROR 403/);
    expect(await leaks()).toEqual([]);
  });

  it("is not told when a snippet cannot be uploaded", async () => {
    // The one of before is there already.
    await project.configure(() => Object.assign(noble().cloudInit ?? {}, { packages: ["htop"] }));
    // The plugin asks the API first, so there is time to close the folder behind preflight's back.
    await project.lab.control.network({ latency: 0.3 });
    const up = await project.pulumi("up", ["--skip-preview"], {
      onOutput: (text) => {
        if (/checks passed/.test(text)) void project.lab.control.sftpDenied(true);
      },
    });
    said["up without snippets"] = up.output;
    await project.lab.control.sftpDenied(false);
    await project.lab.control.network({ latency: 0 });
    expect(up.code).not.toBe(0);
    expect(up.diagnostics).toContain("could not upload the snippet 9000-");
    expect(await leaks()).toEqual([]);
  });

  it("is on the node, and nowhere else", async () => {
    const up = await run("up", "up", ["--diff"]);
    expect(up.diagnostics).toBe("");
    expect(up.code).toBe(0);
    expect(await onNode()).toEqual(["command", "file", "vendor", "user", "network"]);
    const vms = await project.lab.control.vms();
    expect(vms["9000"]?.config.description).toContain(CANARIES.notes);
    expect(vms["9101"]?.config.description).toContain(CANARIES.cloneNotes);
    expect(await leaks()).toEqual([]);
  });

  it("is not shown as a difference", async () => {
    const { runCommands } = noble().cloudInit ?? {};
    const next = await project.encrypt(`echo ${CANARIES.nextCommand} > /root/token`);
    await project.configure(() => {
      noble().cloudInit = { ...noble().cloudInit, runCommands: [next] };
    });
    const preview = await run("preview of another command", "preview", ["--diff"]);
    await project.configure(() => {
      noble().cloudInit = { ...noble().cloudInit, ...(runCommands && { runCommands }) };
    });
    expect(preview.output).toContain("[secret]");
    expect(preview.steps).toContainEqual({ op: "replace", name: "9000-vm" });
    expect(await leaks()).toEqual([]);
  });

  it("stays where it is through a refresh, and is no change afterwards", async () => {
    expect((await run("refresh", "refresh", ["--diff"])).code).toBe(0);
    expect(await leaks()).toEqual([]);
    expect((await run("preview after refresh", "preview", ["--diff", "--expect-no-changes"])).code).toBe(0);
    expect(await leaks()).toEqual([]);
  });

  it("is a secret as well where the config comes from a file that the program does not know", async () => {
    const [here, elsewhere] = [join(project.dir, "Pulumi.test.yaml"), join(project.dir, "elsewhere.yaml")];
    await rename(here, elsewhere);
    const preview = await run("preview of another file", "preview", ["--diff", "--config-file", elsewhere]);
    await rename(elsewhere, here);
    expect(preview.diagnostics).toBe("");
    expect(preview.steps).toEqual([]);
    expect(await leaks()).toEqual([]);
  });

  it("goes with destroy", async () => {
    expect((await run("destroy", "destroy", ["--diff"])).code).toBe(0);
    expect(await leaks()).toEqual([]);
    expect(await onNode()).toEqual([]);
  });

  it("leaves the state with the next up when it gets encrypted later", async () => {
    const command = "echo later-5d1e > /run/later";
    const description = "ask later-5d1e";
    await project.configure((config) => {
      const { url, checksum } = project.lab.image;
      config.templates = {
        late: { vmId: 9002, description, image: { url, checksum }, cloudInit: { runCommands: [command] } },
      };
      config.cloneSets = {};
    });
    expect((await project.pulumi("up")).code).toBe(0);
    expect(await project.state()).toContain("later-5d1e");
    const encrypted = { command: await project.encrypt(command), description: await project.encrypt(description) };
    await project.configure((config) => {
      Object.assign(config.templates?.late ?? {}, {
        description: encrypted.description,
        cloudInit: { runCommands: [encrypted.command] },
      });
    });
    const up = await project.pulumi("up");
    expect(up.diagnostics).toBe("");
    // The engine's own provider of the dynamic resources is told the stack's config.
    expect(up.steps).toEqual([{ op: "update", name: "default" }]);
    expect(await project.state()).not.toContain("later-5d1e");
  });
});

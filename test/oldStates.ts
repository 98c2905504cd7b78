import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Lab, startLab } from "../lab/lab.ts";
import { openProject, type Project, type StackConfig } from "./project.ts";

/**
 * What commit d3fb085 has left of an `up` (test/old-states/): `config.json`, the stack's config; `cluster.json`, the VMs and
 * snippets of its lab; `engine.jsonl`, one resource of the engine's state a line; `codes.json`, the text of the dynamic
 * providers in it. `{api}` and the like stand for what every lab has of its own.
 */
const folder = join(import.meta.dirname, "old-states");
const read = (name: string) => readFile(join(folder, name), "utf8");

type Vm = Record<string, unknown>;
interface Cluster {
  pools: object;
  pool_info: object;
  volumes: object;
  vms: Vm[];
  /** Texts of the snippets by `node/name`. */
  files: Record<string, string>;
}

const PASSWORD = "correct horse";

/** Puts the old lab's VMs and files into the folder of a new one. */
async function prepareLab(dir: string): Promise<void> {
  // What the lab itself has by now, such as the fleet's privileges, is the new one's.
  await (await startLab({ dir })).stop();
  const file = join(dir, "state.json");
  const { files, vms, ...rest } = JSON.parse(await read("cluster.json")) as Cluster;
  const state = JSON.parse(await readFile(file, "utf8")) as object;
  await writeFile(file, JSON.stringify({ ...state, ...rest, vms: vms.map((vm) => ({ special: {}, ...vm })) }));
  for (const [path, text] of Object.entries(files)) {
    const [node = "", name = ""] = path.split("/");
    const snippets = join(dir, "nodes", node, "var/lib/vz/snippets");
    await mkdir(snippets, { recursive: true });
    await writeFile(join(snippets, name), text);
  }
}

const LEFT_OUT = /\{(api|images|lab|ssh:\w+|privateKey|urn|code:\w+)\}/g;

/** A text of the fixture with what this lab has of its own. */
async function filledIn(text: string, lab: Lab): Promise<string> {
  const codes = JSON.parse(await read("codes.json")) as Record<string, string>;
  const inJson = (value: string) => JSON.stringify(value).slice(1, -1);
  const privateKey = await readFile(lab.ssh.privateKeyFile, "utf8");
  const values: Record<string, string> = {
    api: new URL(lab.endpoint).host,
    images: new URL(lab.image.url).host,
    lab: lab.dir,
    urn: "urn:pulumi:test::proxmox-golden-fleet::",
    // It stands in a JSON text in a JSON text in a JSON text.
    privateKey: inJson(inJson(inJson(privateKey))),
    ...Object.fromEntries(Object.entries(codes).map(([name, code]) => [`code:${name}`, inJson(code)])),
    ...Object.fromEntries(Object.entries(lab.ssh.nodes).map(([node, { port }]) => [`ssh:${node}`, String(port)])),
  };
  return text.replace(LEFT_OUT, (_, name: string) => values[name] ?? "");
}

/** A project whose cluster and state the first version of this program has left. */
export async function openOldProject(): Promise<Project> {
  const project = await openProject("project", { prepareLab });
  const { lab } = project;
  const config = JSON.parse(await filledIn(await read("config.json"), lab)) as StackConfig;
  await project.configure((current) => Object.assign(current, config));
  const password = await project.encrypt(PASSWORD);
  await project.configure(({ templates }) => {
    const { noble } = templates ?? {};
    if (noble) noble.cloudInit = { ...noble.cloudInit, password };
  });
  const lines = (await filledIn(await read("engine.jsonl"), lab)).trim().split("\n");
  const { deployment, version } = JSON.parse(await project.state()) as { deployment: object; version: number };
  const resources = lines.map((line) => JSON.parse(line) as object);
  await project.importState(JSON.stringify({ version, deployment: { ...deployment, resources } }));
  // The image, which its node has downloaded.
  const image = Buffer.from(await (await fetch(lab.image.url)).arrayBuffer());
  for (const node of ["pve1", "pve2"]) {
    const images = join(lab.dir, "nodes", node, "var/lib/vz/import");
    await mkdir(images, { recursive: true });
    await writeFile(join(images, `noble-server-cloudimg-amd64-${lab.image.checksum.slice(7, 23)}.qcow2`), image);
  }
  return project;
}

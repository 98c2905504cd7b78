import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, vi } from "vitest";
import { markText } from "../fleet/ownership.ts";
import { type Lab, startLab, type VmConfig } from "../lab/lab.ts";
import type { CloneDiff } from "../providers/clone/diff.ts";
import type { CloneInputs } from "../providers/clone/inputs.ts";
import { markOf } from "../providers/clone/mark.ts";
import { provider } from "../providers/clone/provider.ts";
import type { CloneState } from "../providers/clone/state.ts";
import { runOf, setRun } from "../providers/run/connect.ts";
import { Run } from "../providers/run/run.ts";
import { PveClient } from "../proxmox/client.ts";

/** Drives the clone provider against a lab of its own, without the engine. */

/** What the user was told: progress, what stays on the screen, warnings. */
export const said: string[] = [];
export const warned: string[] = [];
vi.mock("../providers/dynamic/progress.ts", () => ({
  messagesOf: () => ({
    report: (text: string) => said.push(text),
    progress: (doing: string, percent: number) => said.push(`${doing}: ${percent}%`),
    info: () => undefined,
    warn: (text: string) => warned.push(text),
  }),
}));

// Tests take it from here: what they import before this file, the mock does not reach.
export { provider };

type Config = { get(key: string): string | undefined };

export let lab: Lab;
export let config: Config;
/** The same cluster, with the login that may do everything. */
export let asRoot: Config;

/** Another run of the engine: what one remembers, the next does not know. */
export function beginRun(pace: { freshMs?: number } = { freshMs: 0 }): void {
  for (const one of [config, asRoot]) {
    const { client, cluster } = runOf(one);
    setRun(one, new Run(new PveClient(client.connection, { pauseMs: 20 }), cluster, { quietMs: 20, ...pace }));
  }
}

export const TEMPLATE: VmConfig = {
  name: "noble",
  memory: "2048",
  cores: 2,
  onboot: 1,
  ide2: "none,media=cdrom",
  boot: "order=scsi0",
  agent: "enabled=1",
  cicustom: "user=local:snippets/noble.yaml",
  ipconfig0: "ip=dhcp",
  tags: "fleet-c1d2be9a",
  net0: "virtio=BC:24:11:00:00:00,bridge=vmbr0",
  scsi0: "local-lvm:base-9000-disk-0,size=2G",
  scsi30: "local-lvm:vm-9000-cloudinit,media=cdrom",
};

/** A clones' vendor-data as the template component uploads it, and what of it counts here. */
const VENDOR = "#cloud-config\nupdates:\n  network:\n    when: [boot-new-instance, boot]\n";

/** PVE's `cicustom` of a clone with a vendor-data of its own. */
export const CICUSTOM = "user=local:snippets/noble.yaml,vendor=local:snippets/clones.yaml";

/** Before the tests of a file a lab, and after each of them as if nothing had been made. */
export function useCloneLab(): void {
  let folder: string;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "golden-fleet-clone-"));
    lab = await startLab({ dir: join(folder, "lab"), timeScale: 0.01 });
    await lab.control.addVm({ vmid: 9000, template: true, config: TEMPLATE });
    for (const node of ["pve1", "pve2"]) {
      await lab.control.putFile("local", "snippets", "noble.yaml", "#cloud-config\n", node);
      await lab.control.putFile("local", "snippets", "clones.yaml", VENDOR, node);
    }
    const cluster = JSON.stringify({ endpoint: lab.endpoint, tls: { caFile: lab.caFile }, node: "pve1" });
    const values: Record<string, string> = { cluster, apiToken: lab.apiToken };
    config = { get: (key) => values[key] };
    const root: Record<string, string> = { cluster, username: "root@pam", password: lab.rootPassword };
    asRoot = { get: (key) => root[key] };
    beginRun();
  });
  afterAll(async () => {
    await lab?.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  afterEach(async () => {
    await lab.control.clearFaults();
    await lab.control.storageLocks({ slots: 4, wait: 10 });
    await lab.control.timeScale(0.01);
    const { vms } = await lab.control.state();
    for (const vmId of Object.keys(vms).map(Number)) if (vmId > 9000) await lab.control.deleteVm(vmId);
    await lab.control.clearRequests();
    beginRun();
    for (const texts of [said, warned]) texts.length = 0;
  });
}

export const FLEET = "c1d2be9a";

/** Inputs of the clone `web-<n>` with the VMID 9100 + n. */
export function inputs(n = 1, change: Partial<CloneInputs> = {}): CloneInputs {
  return {
    stack: "organization/golden/test",
    fleetId: FLEET,
    set: "web",
    vmId: 9100 + n,
    name: `web-${n}`,
    hostname: `web-${n}.example.net`,
    template: "0123456789ab",
    full: false,
    templateDatastore: "local-lvm",
    places: [{ node: "pve1", sourceVmId: 9000 }],
    ipConfigs: [`ip=10.0.0.${20 + n}/24,gw=10.0.0.1`],
    nameservers: ["10.0.0.1"],
    searchDomain: "example.net",
    tags: ["web"],
    onBoot: false,
    start: true,
    shutdownSeconds: 0,
    ...change,
  };
}

export const mark = (n: number, change: Partial<CloneInputs> = {}): string =>
  markText(markOf(inputs(n, change), { template: "0123456789ab", full: false }));

export const create = (one = inputs()) => provider.create(config, one);
export const made = async (one = inputs()): Promise<CloneState> => (await create(one)).outs;
export const read = (state: CloneState) => provider.read(config, String(state.spec.vmId), state);
export const update = (olds: CloneState, news: CloneInputs) => provider.update(config, String(news.vmId), olds, news);
export const remove = (state: CloneState) => {
  beginRun();
  return provider.delete(config, String(state.spec.vmId), state);
};
export const diff = (olds: CloneState, news: CloneInputs) =>
  provider.diff(config, String(news.vmId), olds, news) as Promise<CloneDiff>;
export const vm = async (vmId = 9101) => (await lab.control.state()).vms[String(vmId)];

/** The requests that were sent, those about tasks left out. */
export const asked = async (): Promise<string[]> =>
  (await lab.control.requests()).api
    .filter(({ path }) => !path.includes("/tasks"))
    .map(({ method, path }) => `${method} ${path}`);

/** The error that a clone ends with; the state that it leaves is that of a clone that the next run tries again. */
export async function errorOf(work: Promise<CloneState>): Promise<string> {
  const state = await work;
  expect(state.status).toBe("failed");
  expect((await diff(state, state.spec as CloneInputs)).changes).toBe(true);
  expect(warned.join("\n")).toContain(state.error);
  return state.error ?? "";
}

export const failing = (work: Promise<unknown>): Promise<Error> =>
  work.then(
    () => expect.unreachable("it went well"),
    (error: Error) => error,
  );

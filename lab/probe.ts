import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { type EndedTask, type Params, Session } from "./conformance/replay.ts";
import { type Lab, type LabOptions, startLab } from "./lab.ts";

/** A lab in a folder of its own for one test file, and the calls that its tests make. */
export interface Probe {
  readonly lab: Lab;
  readonly session: Session;
  /** `data` of a GET. */
  get<T>(path: string, params?: Params): Promise<T>;
  /** Sends a request that starts a task, and waits for its end. */
  run(method: string, path: string, params?: Params, as?: string): Promise<EndedTask>;
  /** Status and reason of a refused request, empty if it was not refused. */
  refusal(method: string, path: string, params?: Params, as?: string): Promise<string>;
  /** A template with one disk on a datastore. */
  template(vmid: number, options?: { readonly node?: string; readonly disk?: string }): Promise<void>;
  close(): Promise<void>;
}

export async function openProbe(options: Omit<LabOptions, "dir"> = {}): Promise<Probe> {
  const dir = await mkdtemp(path.join(tmpdir(), "lab-probe-"));
  const lab = await startLab({ timeScale: 0.02, log: (line) => console.log(line), ...options, dir });
  const session = await Session.open(lab);
  const get = async <T>(target: string, params: Params = {}): Promise<T> => {
    const answer = await session.send("fleet-token", "GET", target, params);
    if (answer.status !== 200) throw new Error(`GET ${target}: ${answer.status} ${answer.reason}`);
    return answer.data as T;
  };
  return {
    lab,
    session,
    get,
    async run(method, target, params = {}, as = "fleet-token") {
      const answer = await session.send(as, method, target, params);
      if (answer.status !== 200) throw new Error(`${method} ${target}: ${answer.status} ${answer.reason}`);
      return session.ended(String(answer.data));
    },
    async refusal(method, target, params = {}, as = "fleet-token") {
      const answer = await session.send(as, method, target, params);
      return answer.status === 200 ? "" : `${answer.status} ${answer.reason}`;
    },
    async template(vmid, { node = "pve1", disk = `local-lvm:base-${vmid}-disk-0` } = {}) {
      const config = { name: `t${vmid}`, memory: "512", boot: "order=scsi0", scsi0: `${disk},size=2G` };
      await lab.control.addVm({ vmid, node, template: true, config });
    },
    async close() {
      await session.close();
      await lab.stop();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

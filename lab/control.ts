import { LabError } from "./venv.ts";

/** One API request as the lab logged it; secrets in `params` are `***`. */
export interface LoggedRequest {
  readonly n: number;
  /** Seconds since the epoch. */
  readonly time: number;
  readonly method: string;
  /** Path below /api2/json, percent-decoded. */
  readonly path: string;
  readonly params: Readonly<Record<string, unknown>>;
  /** User or token id, null when nobody was authenticated. */
  readonly user: string | null;
  readonly agent: string;
  readonly status?: number;
  readonly seconds?: number;
}

/** One request to the image server. */
export interface LoggedImageRequest {
  readonly time: number;
  readonly method: string;
  readonly path: string;
  readonly status: number;
  readonly bytes: number;
}

/** One thing that happened over SSH: `sftp write`, `sftp remove`, `exec`. */
export interface LoggedSsh {
  readonly time: number;
  readonly node: string;
  readonly user: string;
  readonly what: string;
  readonly detail: string;
}

export interface RequestLog {
  /** API requests since the lab was started; `api` holds the last 50,000 of them. */
  readonly total: number;
  readonly api: readonly LoggedRequest[];
  readonly images: readonly LoggedImageRequest[];
  readonly ssh: readonly LoggedSsh[];
}

export type VmConfig = Record<string, string | number>;

export interface VmState {
  readonly node: string;
  readonly name: string | null;
  readonly status: string;
  readonly config: Readonly<VmConfig>;
  readonly pending: Readonly<Record<string, string | number | null>>;
  readonly snapshots: readonly string[];
  readonly pool: string | null;
  /** What the guest has since it last booted, which is not what its config says by now; null if it never booted. */
  readonly guest: GuestState | null;
}

/** What a guest took from its cloud-init drive, as cloud-init would (server/boot.py). */
export interface GuestState {
  /** cloud-init's instance-id; null without cloud-init drive. */
  readonly instanceId: string | null;
  /** How many instances it has been: so often have per-instance modules run (runcmd, SSH host keys, users). */
  readonly instances: number;
  readonly boots: number;
  /** Its host name. */
  readonly name: string | null;
  readonly nameserver: string | null;
  readonly searchdomain: string | null;
  /** Lines of authorized_keys by user: those of its user-data, and what was made of them since. */
  readonly keys: Readonly<Record<string, readonly string[]>>;
  readonly ipconfigs: Readonly<Record<string, string>>;
}

export interface VolumeState {
  readonly vmid: number;
  readonly format: string;
  readonly size: number;
  readonly used: number;
  readonly ctime: number;
  readonly parent: string | null;
}

export type HaRequest = "started" | "stopped" | "disabled" | "ignored";

/** An HA resource: what is asked for, and what the manager has made of it (`error`, `fence`, `migrate`, …). */
export interface HaState {
  readonly requested: HaRequest;
  /** Null until the manager has seen it. */
  readonly state: string | null;
  readonly node: string | null;
}

/** Everything the lab's cluster holds. */
export interface LabState {
  readonly nodes: Readonly<Record<string, boolean>>;
  readonly quorate: boolean;
  readonly version: string;
  /** By VMID. */
  readonly vms: Readonly<Record<string, VmState>>;
  /** By `node/datastore` (a shared one: `datastore`), then by volume name. */
  readonly volumes: Readonly<Record<string, Readonly<Record<string, VolumeState>>>>;
  /** By `node/datastore:content/name`; those of a shared datastore once per node. */
  readonly files: Readonly<Record<string, { readonly size: number; readonly sha256: string }>>;
  /** Temporary files of downloads. */
  readonly leftovers: readonly string[];
  readonly pools: Readonly<Record<string, readonly number[]>>;
  readonly mappings: Readonly<Record<string, readonly string[]>>;
  /** HA resources by VMID. */
  readonly ha: Readonly<Record<string, HaState>>;
  /** UPIDs of the workers that run now. */
  readonly running: readonly string[];
}

export interface TaskRecord {
  readonly upid: string;
  readonly node: string;
  readonly type: string;
  readonly id: string;
  readonly user: string;
  readonly status: "running" | "stopped";
  readonly exitstatus?: string;
  readonly log: readonly string[];
}

/** `path`: end of the request's path, or a path of the API schema (`/nodes/{node}/qemu/{vmid}/clone`). */
export interface Fault {
  readonly method: string;
  readonly path: string;
  /** Name from fakepve's catalogue of PVE's own errors; or give `status` and `message`. */
  readonly error?: string;
  readonly status?: number;
  readonly message?: string;
  /** How often; null for ever. Default 1. */
  readonly times?: number | null;
  /** Answer with a proxy's HTML page. */
  readonly html?: boolean;
}

export interface ImageKnobs {
  /** 0 = as fast as it goes. */
  readonly bytesPerSecond?: number;
  /** Cut the next n downloads after `dropAfter` bytes (default 65536). */
  readonly drops?: number;
  readonly dropAfter?: number;
  /** Answer the next n downloads with `status` (default 503). */
  readonly errors?: number;
  readonly status?: number;
  /** Send the next n downloads with one byte changed. */
  readonly corrupt?: number;
  /** Send the first part of the next n downloads and then nothing more. */
  readonly stalls?: number;
  /** Only for this file name; empty for all. */
  readonly only?: string;
}

export type ConditionName = "instant" | "node";

export interface GuestBehaviour {
  /** False: shutdown and reboot are ignored. */
  readonly acpi?: boolean;
  /**
   * Answers of the guest agent by command (`network-get-interfaces`; of `exec` by command line: `{exec: {"id -u":
   * {exitcode: 0, "out-data": "0"}}}`, or by program, whatever its arguments: `{exec: {sh: {exitcode: 1}}}`); null: no agent but what the snippets install.
   */
  readonly agent?: Readonly<Record<string, unknown>> | null;
  /**
   * PVE seconds after start until the agent answers, or that it never does; null: 8, if a snippet installs it. It needs
   * the VM's `agent: enabled=1` in any case.
   */
  readonly agentAfter?: number | "never" | null;
  /** True: not even a ping is answered; `commands`: a ping is, and every command times out. */
  readonly agentHangs?: boolean | "commands";
  /** What `cloud-init status` says through the agent's exec; null: `done` 15 PVE seconds after start. */
  readonly cloudInit?: {
    /** PVE seconds after start while which it is `running`. Default 15. */
    readonly seconds?: number;
    /** Default `done`. */
    readonly result?: "done" | "degraded" | "error" | "disabled";
    readonly errors?: readonly string[];
    /** The guest has no cloud-init. */
    readonly missing?: boolean;
  } | null;
  readonly startError?: string | null;
  readonly shutdownSeconds?: number;
  readonly startSeconds?: number;
  readonly stopSeconds?: number;
}

/** Typed client of the lab's control interface. Every call is carried out when its promise resolves. */
export class LabControl {
  readonly url: string;

  constructor(url: string) {
    this.url = url;
  }

  async #get<T>(path: string): Promise<T> {
    const answer = await fetch(this.url + path);
    if (!answer.ok) throw new LabError(`lab control ${path}: ${answer.status} ${await answer.text()}`);
    return (await answer.json()) as T;
  }

  async #do<T = null>(action: string, body: object = {}): Promise<T> {
    const answer = await fetch(`${this.url}/do/${action}`, { method: "POST", body: JSON.stringify(body) });
    const result = (await answer.json()) as { result?: T; error?: string };
    if (result.error !== undefined) throw new LabError(`lab control ${action}: ${result.error}`);
    return result.result as T;
  }

  /** VMs, volumes, files: what is there. */
  state(): Promise<LabState> {
    return this.#get("/state");
  }

  async vms(): Promise<LabState["vms"]> {
    return (await this.state()).vms;
  }

  /** What was asked of the API (entries after number `since`), the image server and SSH. */
  requests(since = 0): Promise<RequestLog> {
    return this.#get(`/requests?since=${since}`);
  }

  clearRequests(): Promise<null> {
    return this.#do("clear_requests");
  }

  tasks(): Promise<readonly TaskRecord[]> {
    return this.#do("tasks");
  }

  fail(fault: Fault): Promise<null> {
    return this.#do("fail", fault);
  }

  /**
   * The next tasks of a type (`qmclone`, `qmcreate`, `download`, …) end with this text, and clean up as PVE's do. With a
   * VMID, only those about that VM (of a clone: about the new one). `times` null: always, until `clearFaults`. `log`: what
   * the task's log says before that.
   */
  failTask(
    type: string,
    message: string,
    times: number | null = 1,
    vmid?: number,
    log: readonly string[] = [],
  ): Promise<null> {
    return this.#do("fail_task", { type, message, times, vmid: vmid ?? null, log });
  }

  /**
   * Something happens to the cluster right before the next matching requests are carried out. `path` as in {@link Fault},
   * `method` may be `*`.
   *
   * @example justBefore({ method: "DELETE", path: "/qemu/9101" }, "move_vm", { vmid: 9101, node: "pve2" })
   */
  justBefore(
    request: { readonly method: string; readonly path: string; readonly times?: number },
    action:
      | "add_vm"
      | "clone"
      | "delete_vm"
      | "host_keys"
      | "move_vm"
      | "node_online"
      | "patch_config"
      | "power"
      | "quorum"
      | "storage",
    params: Readonly<Record<string, unknown>>,
  ): Promise<null> {
    return this.#do("just_before", { ...request, action, params });
  }

  /**
   * The next matching requests that start a task are answered `500 got no worker upid - start worker failed`, as a busy
   * pvedaemon does. `path` as in {@link Fault}.
   *
   * @param hiccup.started the task runs all the same. PVE's own worker gives up when its parent does not hear it: it does
   *   nothing, and no task list knows it. Default false.
   */
  hiccup(hiccup: {
    readonly method: string;
    readonly path: string;
    readonly times?: number;
    readonly started?: boolean;
  }): Promise<null> {
    return this.#do("hiccup", hiccup);
  }

  /** Cut the connection of matching requests, before or after they are carried out. `method` may be `*`. */
  cut(method: string, path: string, when: "before" | "after" = "before", times = 1): Promise<null> {
    return this.#do("cut", { method, path, times, when });
  }

  /** Ends every fault; VMs and files stay as they are. */
  clearFaults(): Promise<null> {
    return this.#do("clear_faults");
  }

  /** Real seconds per PVE second: 0 = everything at once. */
  timeScale(scale: number): Promise<null> {
    return this.#do("time_scale", { scale });
  }

  /**
   * Everything that takes time, as a measurement needs it, without randomness. `instant`: tasks and answers take no time.
   * `node`: as measured on a real node (server/conditions.py says where each number is from): an answer takes 20 ms, a
   * linked clone 1.65 s, of which 0.73 s one clone at a time per datastore; who waits 10 s for that lock fails.
   */
  conditions(name: ConditionName): Promise<null> {
    return this.#do("conditions", { name });
  }

  network(trouble: {
    readonly latency?: number;
    readonly jitter?: number;
    readonly dropRate?: number;
    readonly hangRate?: number;
    readonly hangSeconds?: number;
    readonly seed?: number;
  }): Promise<null> {
    return this.#do("network", trouble);
  }

  /**
   * False: the node loses its power. Calls to it are answered 595, its tasks die, its guests stop and have the status
   * `unknown` in the cluster's lists; true: it is back, without them.
   *
   * @param options.stillShown it has only just died: for five minutes (PVE seconds) the cluster's lists show its guests as
   *   they were, running ones as running. Default false.
   */
  nodeOnline(node: string, online: boolean, options: { readonly stillShown?: boolean } = {}): Promise<null> {
    return this.#do("node_online", { node, online, ...options });
  }

  /** Puts a VM under HA; null takes it out again. */
  haManaged(vmid: number, state: HaRequest | null = "started"): Promise<null> {
    return this.#do("ha_managed", { vmid, state });
  }

  /**
   * How the HA manager works, in PVE seconds.
   *
   * @param times.seconds from a request until it is acted on; null: never. Default 10.
   * @param times.recoverySeconds from a node's death until its HA resources live on another node. Default 180.
   */
  ha(times: { readonly seconds?: number | null; readonly recoverySeconds?: number } = {}): Promise<null> {
    return this.#do("ha", times);
  }

  /** Memory (64 GiB) and CPUs (16) of a node; its running guests take all the memory they are configured with. */
  node(node: string, has: { readonly memoryMiB?: number; readonly cpus?: number }): Promise<null> {
    return this.#do("node", { node, ...has });
  }

  quorum(quorate: boolean): Promise<null> {
    return this.#do("quorum", { quorate });
  }

  /** Somebody holds the config lock of a VM, for so many PVE seconds or until released. */
  holdLock(vmid: number, seconds?: number): Promise<null> {
    return this.#do("hold_lock", { vmid, seconds: seconds ?? null });
  }

  releaseLock(vmid: number): Promise<null> {
    return this.#do("release_lock", { vmid });
  }

  /** Somebody holds the lock of a datastore until released; of one that is not shared, on one node or on all of them. */
  holdStorageLock(storage: string, node?: string): Promise<null> {
    return this.#do("hold_storage_lock", { storage, node: node ?? null });
  }

  releaseStorageLock(storage: string): Promise<null> {
    return this.#do("release_storage_lock", { storage });
  }

  /** How many workers a datastore's lock lets in (1), and how many PVE seconds the next one waits (10). */
  storageLocks(limits: { readonly slots?: number; readonly wait?: number }): Promise<null> {
    return this.#do("storage_locks", limits);
  }

  /** Kill workers as SIGKILL would; returns their UPIDs. `vmid`: of a clone its source's or its own. */
  killTask(which: {
    readonly upid?: string;
    readonly type?: string;
    readonly vmid?: number;
  }): Promise<readonly string[]> {
    return this.#do("kill_task", which);
  }

  /**
   * The next tasks of a type stand still, until {@link resumeTask}, {@link killTask} or a DELETE of the task. With a VMID,
   * only those about it. A clone does so when it has made its first volume, or its n-th (`volumes`): it holds its locks,
   * and its target has `lock: clone`; its config is PVE's temporary one until the first drive is done.
   */
  hangTask(
    type: string,
    options: { readonly times?: number; readonly vmid?: number; readonly volumes?: number } = {},
  ): Promise<null> {
    return this.#do("hang_task", { type, ...options });
  }

  /** Lets tasks that stand still go on; returns their UPIDs. */
  resumeTask(
    which: { readonly upid?: string; readonly type?: string; readonly vmid?: number } = {},
  ): Promise<readonly string[]> {
    return this.#do("resume_task", which);
  }

  /** Somebody else (`mia@pam`) clones a VM; returns the UPID. `hang`: as {@link hangTask} says. */
  clone(clone: {
    readonly source: number;
    readonly newid: number;
    readonly user?: string;
    readonly hang?: boolean;
    readonly full?: boolean;
    readonly name?: string;
  }): Promise<string> {
    return this.#do("clone", clone);
  }

  expireToken(token: string, expired = true): Promise<null> {
    return this.#do("expire_token", { token, expired });
  }

  revokeTickets(): Promise<null> {
    return this.#do("revoke_tickets");
  }

  /**
   * The API has another certificate from now on, signed by the same CA; returns its fingerprint.
   *
   * @param names host names and addresses that it is made out to
   * @param options `foreign`: signed by a CA that nobody has; `ended`: not valid any more; `subject`: its common name
   */
  certificate(
    names: readonly string[],
    options: { readonly foreign?: boolean; readonly ended?: boolean; readonly subject?: string } = {},
  ): Promise<string> {
    return this.#do("certificate", { names, ...options });
  }

  /** A user is asked for a second factor at each login with a password. */
  secondFactor(user: string, needed = true): Promise<null> {
    return this.#do("second_factor", { user, needed });
  }

  /** Options of the datacenter that `GET /cluster/options` has besides, for example `next-id`. */
  datacenter(options: Readonly<Record<string, unknown>>): Promise<null> {
    return this.#do("datacenter", { options });
  }

  /** The vnets of SDN, each with its zone. */
  vnets(vnets: Readonly<Record<string, string>>): Promise<null> {
    return this.#do("vnets", { vnets });
  }

  /**
   * A node's SSH server has other host keys until {@link clearFaults}; returns their public lines.
   *
   * @param types for example `ssh-ed25519`, `ecdsa-sha2-nistp256`, `ssh-rsa`
   */
  hostKeys(node: string, types: readonly string[] = ["ssh-ed25519"]): Promise<readonly string[]> {
    return this.#do("host_keys", { node, types });
  }

  /** For example `8.2.4`. */
  version(version: string): Promise<null> {
    return this.#do("version", { version });
  }

  /** Privileges of the fleet's user on a path; without arguments those of lab/fleet-role.json and no others. */
  privileges(path?: string, privileges?: readonly string[]): Promise<null> {
    return this.#do("privileges", path === undefined ? {} : { path, privileges });
  }

  /** A pool with these VMs and datastores in it, and the pools that it is nested in (`prod/web`). */
  pool(
    name: string,
    members: { readonly vms?: readonly number[]; readonly storages?: readonly string[] } = {},
  ): Promise<null> {
    return this.#do("pool", { name, ...members });
  }

  /** SFTP refuses every write. */
  sftpDenied(denied: boolean): Promise<null> {
    return this.#do("sftp_denied", { denied });
  }

  addVm(vm: {
    readonly vmid: number;
    readonly node?: string;
    readonly config?: VmConfig;
    readonly status?: "running" | "stopped";
    readonly template?: boolean;
  }): Promise<null> {
    return this.#do("add_vm", vm);
  }

  /** Change a config behind everybody's back; returns what it is now. */
  patchConfig(
    vmid: number,
    change: { readonly set?: VmConfig; readonly delete?: readonly string[] },
  ): Promise<VmConfig> {
    return this.#do("patch_config", { vmid, ...change });
  }

  /** A VM lives on another node from now on, with its volumes, running or not. */
  moveVm(vmid: number, node: string): Promise<null> {
    return this.#do("move_vm", { vmid, node });
  }

  deleteVm(vmid: number, volumes = true): Promise<null> {
    return this.#do("delete_vm", { vmid, volumes });
  }

  power(vmid: number, status: "running" | "stopped"): Promise<null> {
    return this.#do("power", { vmid, status });
  }

  /** A guest reboots from the inside: PVE does not notice, and its cloud-init drive stays as it was last written. */
  guestReboot(vmid: number): Promise<null> {
    return this.#do("guest_reboot", { vmid });
  }

  /** Makes a snapshot look as if it had been taken so many days ago. */
  ageSnapshot(vmid: number, name: string, days: number): Promise<null> {
    return this.#do("age_snapshot", { vmid, name, days });
  }

  /** Somebody adds a line to a user's authorized_keys, in the guest. */
  addKey(vmid: number, user: string, line: string): Promise<null> {
    return this.#do("add_key", { vmid, user, line });
  }

  /** How a guest behaves: one that is there, one that will be made with this VMID, or (`new`) all that will be made. */
  guest(vmid: number | "new", behaviour: GuestBehaviour): Promise<null> {
    return this.#do("guest", { vmid, ...behaviour });
  }

  storage(
    name: string,
    change: {
      /** Bytes left. */
      readonly avail?: number;
      readonly active?: boolean;
      /** For example `iso,snippets`. */
      readonly content?: string;
      readonly disable?: boolean;
      readonly remove?: boolean;
      /** storage.cfg options of a new one: `{type: "dir", path: "/var/lib/data", content: "images"}`. */
      readonly create?: Readonly<Record<string, string | number>>;
    },
  ): Promise<Readonly<Record<string, unknown>> | null> {
    return this.#do("storage", { name, ...change });
  }

  /** Bytes of a volume that are written to (those of `addVm` are empty): what a full clone copies. */
  volume(storage: string, name: string, has: { readonly used: number; readonly node?: string }): Promise<null> {
    return this.#do("volume", { storage, name, ...has });
  }

  putFile(storage: string, content: string, name: string, text: string, node?: string): Promise<null> {
    return this.#do("put_file", { storage, content, name, text, node: node ?? null });
  }

  removeFile(storage: string, content: string, name: string, node?: string): Promise<null> {
    return this.#do("remove_file", { storage, content, name, node: node ?? null });
  }

  bridges(bridges: readonly string[]): Promise<null> {
    return this.#do("bridges", { bridges });
  }

  /** Entries like `id=10de:2684,node=pve1,path=0000:01:00.0`; null removes the mapping. */
  mapping(id: string, map: readonly string[] | null, kind: "pci" | "usb" = "pci"): Promise<null> {
    return this.#do("mapping", { id, map, kind });
  }

  images(knobs: ImageKnobs): Promise<null> {
    return this.#do("images", knobs);
  }

  /** Serve another file: base64 bytes, or so many zeros. */
  addImage(
    name: string,
    content: { readonly base64?: string; readonly size?: number },
  ): Promise<{ readonly size: number; readonly sha256: string }> {
    return this.#do("add_image", { name, ...content });
  }
}

import { readFile } from "node:fs/promises";
import { createServer } from "node:net";
import { Client } from "ssh2";
import { Agent, fetch } from "undici";
import type { Lab } from "../lab.ts";
import type { Json, JsonObject } from "./recording.ts";

/** What the lab answered. */
export interface Answer {
  readonly status: number;
  readonly reason: string;
  readonly message: string | null;
  readonly errors: JsonObject | null;
  readonly data: Json;
}

export interface EndedTask {
  readonly upid: string;
  readonly type: string;
  readonly id: string;
  readonly user: string;
  readonly exitstatus: string;
  readonly log: string[];
}

/** A list is sent as PVE takes one: its name once for each value. */
export type Params = Readonly<Record<string, string | number | readonly string[]>>;

const rootPassword = "lab-Secret1";
const tokens: Readonly<Record<string, string>> = {
  "root-token": "root@pam!lab=1ab0f1ee-0000-4000-8000-0000000000aa",
  "fleet-token": "fleet@pve!golden=1ab0f1ee-0000-4000-8000-00000000f1ee",
  "priv-token": "root@pam!priv=1ab0f1ee-0000-4000-8000-0000000000bb",
  "user-token": "lab@pve!tok=1ab0f1ee-0000-4000-8000-0000000000cc",
  "bad-token": "root@pam!lab=00000000-0000-4000-8000-000000000000",
};
const taskTimeoutMs = 20_000;

/** Sends requests as one of the recorded identities (or the lab's own user), and waits for tasks. */
export class Session {
  readonly #lab: Lab;
  readonly #agent: Agent;
  #ticket: { ticket: string; csrf: string } | undefined;

  private constructor(lab: Lab, agent: Agent) {
    this.#lab = lab;
    this.#agent = agent;
  }

  static async open(lab: Lab): Promise<Session> {
    return new Session(lab, new Agent({ connect: { ca: await readFile(lab.caFile, "utf8") } }));
  }

  close(): Promise<void> {
    return this.#agent.close();
  }

  async #headers(identity: string): Promise<Record<string, string>> {
    if (identity === "none") return {};
    if (identity !== "root-password") return { authorization: `PVEAPIToken=${tokens[identity]}` };
    if (this.#ticket === undefined) {
      const answer = await this.send("none", "POST", "/access/ticket", {
        username: "root@pam",
        password: rootPassword,
      });
      const data = answer.data as JsonObject;
      this.#ticket = { ticket: String(data.ticket), csrf: String(data.CSRFPreventionToken) };
    }
    return { cookie: `PVEAuthCookie=${this.#ticket.ticket}`, CSRFPreventionToken: this.#ticket.csrf };
  }

  async send(identity: string, method: string, path: string, params: Params): Promise<Answer> {
    return this.#request(await this.#headers(identity), method, path, params);
  }

  /** With a token of somebody else, `user@realm!name=secret`. */
  sendAs(token: string, method: string, path: string, params: Params): Promise<Answer> {
    return this.#request({ authorization: `PVEAPIToken=${token}` }, method, path, params);
  }

  async #request(headers: Record<string, string>, method: string, path: string, params: Params): Promise<Answer> {
    const form = new URLSearchParams();
    for (const [key, value] of Object.entries(params)) {
      for (const each of Array.isArray(value) ? value : [value]) form.append(key, String(each));
    }
    const inQuery = method === "GET" || method === "DELETE";
    const query = inQuery && form.size ? `${path.includes("?") ? "&" : "?"}${form}` : "";
    const answer = await fetch(`${this.#lab.endpoint}/api2/json${path}${query}`, {
      method,
      headers,
      dispatcher: this.#agent,
      ...(inQuery ? {} : { body: form }),
    });
    const text = await answer.text();
    const body = (text === "" ? {} : JSON.parse(text)) as Partial<Answer>;
    return {
      status: answer.status,
      reason: answer.statusText,
      message: body.message ?? null,
      errors: body.errors ?? null,
      data: body.data ?? null,
    };
  }

  /** The end of a task, as root sees it. */
  async ended(upid: string): Promise<EndedTask> {
    const node = upid.split(":")[1];
    const one = `/nodes/${node}/tasks/${encodeURIComponent(upid)}`;
    const deadline = Date.now() + taskTimeoutMs;
    for (;;) {
      const { data } = await this.send("root-token", "GET", `${one}/status`, {});
      const status = data as JsonObject;
      if (status.status === "stopped") {
        const log = await this.send("root-token", "GET", `${one}/log`, { limit: 0 });
        return {
          upid,
          type: String(status.type),
          id: String(status.id),
          user: upid.split(":")[7] ?? "",
          exitstatus: String(status.exitstatus),
          log: (log.data as JsonObject[]).map((line) => String(line.t)),
        };
      }
      if (Date.now() > deadline) throw new Error(`task ${upid} does not end`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  /** Writes a file by SFTP as root. */
  async sftpPut(path: string, content: string): Promise<void> {
    const { ssh } = this.#lab;
    const privateKey = await readFile(ssh.privateKeyFile);
    const client = new Client();
    try {
      await new Promise<void>((resolve, reject) => {
        client.once("ready", resolve).once("error", reject);
        client.connect({ host: ssh.address, port: ssh.port, username: "root", privateKey });
      });
      await new Promise<void>((resolve, reject) => {
        client.sftp((error, sftp) => {
          if (error) reject(error);
          else sftp.writeFile(path, content, (problem) => (problem ? reject(problem) : resolve()));
        });
      });
    } finally {
      client.end();
    }
  }
}

/** A port on which nothing listens. */
export async function deadPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return typeof address === "object" && address ? address.port : 1;
}

/** Replaces `${name}` in every text of a value. */
export function filled<T extends Json>(value: T, names: ReadonlyMap<string, string>): T {
  const text = JSON.stringify(value).replace(/\$\{([^}]+)\}/g, (whole, name: string) => {
    const known = names.get(name);
    return known === undefined ? whole : JSON.stringify(known).slice(1, -1);
  });
  return JSON.parse(text) as T;
}

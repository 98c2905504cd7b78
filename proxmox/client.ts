import type { Agent } from "undici";
import { request } from "undici";
import { connectionError } from "./connectionError.ts";
import { ApiError, ConnectionError } from "./errors.ts";
import type { Login } from "./login.ts";
import { isTransient, withRetry } from "./retry.ts";
import { TaskDurations } from "./taskDurations.ts";
import { dispatcher, type TlsOptions } from "./tls.ts";

export interface Connection {
  /** `https://host:port` */
  endpoint: string;
  tls: TlsOptions;
  login: Login;
}

export type Params = Record<string, string | number | boolean | readonly string[] | undefined>;
type Method = "GET" | "POST" | "PUT" | "DELETE";

/** PVE takes 1 and 0 for booleans in a form. */
const formValue = (value: string | number | boolean): string =>
  typeof value === "boolean" ? String(Number(value)) : String(value);

function form(params: Params): string {
  const search = new URLSearchParams();
  for (const [key, value = []] of Object.entries(params)) {
    // PVE takes a list as the same key several times.
    for (const one of [value].flat()) search.append(key, formValue(one));
  }
  return search.toString();
}

/** Fills `{}` of a path with encoded values: UPIDs and volume ids hold colons, slashes and `!`. */
export function path(strings: TemplateStringsArray, ...values: (string | number)[]): string {
  return strings.reduce(
    (text, part, index) => `${text}${part}${index < values.length ? encodeURIComponent(String(values[index])) : ""}`,
    "",
  );
}

/** The PVE REST API (https://pve.proxmox.com/pve-docs/api-viewer), with one login and kept connections. */
export class PveClient {
  readonly connection: Connection;
  /** First pause before something is tried again, in milliseconds; those that follow grow. */
  readonly pauseMs: number;
  /** How long tasks took lately, which says when to look at the next one. */
  readonly taskDurations = new TaskDurations();
  readonly #agent: Agent;
  #ticket: Promise<Record<string, string>> | undefined;

  constructor(connection: Connection, { pauseMs = 500 } = {}) {
    this.connection = connection;
    this.pauseMs = pauseMs;
    this.#agent = dispatcher(connection.tls);
  }

  /** Reads; tried again three times if the answer is worth it. */
  get<T>(apiPath: string, params: Params = {}): Promise<T> {
    return withRetry(() => this.#send<T>("GET", apiPath, params), { when: isTransient, pauseMs: this.pauseMs });
  }

  /** Reads once, for callers that want to know at once. */
  getOnce<T>(apiPath: string, params: Params = {}): Promise<T> {
    return this.#send<T>("GET", apiPath, params);
  }

  // Changes are sent once: only the caller knows whether sending them twice does harm.
  post<T>(apiPath: string, params: Params = {}): Promise<T> {
    return this.#send<T>("POST", apiPath, params);
  }

  put<T>(apiPath: string, params: Params = {}): Promise<T> {
    return this.#send<T>("PUT", apiPath, params);
  }

  delete<T>(apiPath: string, params: Params = {}): Promise<T> {
    return this.#send<T>("DELETE", apiPath, params);
  }

  close(): Promise<void> {
    return this.#agent.close();
  }

  async #send<T>(method: Method, apiPath: string, params: Params): Promise<T> {
    const { login } = this.connection;
    if (login.kind === "token") {
      return this.#call(method, apiPath, params, { authorization: `PVEAPIToken=${login.id}=${login.secret}` });
    }
    const ticket = this.#logIn(login);
    const headers = await ticket;
    try {
      return await this.#call<T>(method, apiPath, params, headers);
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 401) throw error;
      // A ticket lives for two hours, and a long run outlives it: the first that notices it logs in again, for all.
      if (this.#ticket === ticket) this.#ticket = undefined;
      return this.#call<T>(method, apiPath, params, await this.#logIn(login));
    }
  }

  async #call<T>(method: Method, apiPath: string, params: Params, headers: Record<string, string>): Promise<T> {
    const { endpoint } = this.connection;
    // A DELETE with a body is 501: its parameters go in the query, as those of a GET do.
    const inQuery = method === "GET" || method === "DELETE";
    const query = inQuery ? form(params) : "";
    const url = `${endpoint}/api2/json${apiPath}${query ? `?${query}` : ""}`;
    const body = inQuery ? null : form(params);
    let response: Awaited<ReturnType<typeof request>>;
    let text: string;
    try {
      response = await request(url, {
        method,
        dispatcher: this.#agent,
        headers: { ...headers, ...(body !== null && { "content-type": "application/x-www-form-urlencoded" }) },
        body,
      });
      text = await response.body.text();
    } catch (error) {
      throw connectionError(error, endpoint);
    }
    const { statusCode, statusText, headers: answered } = response;
    const answer = parse(text);
    const { host } = new URL(endpoint);
    if (statusCode >= 200 && statusCode < 300) {
      if (answer !== undefined && "data" in answer) return answer.data as T;
      throw new ConnectionError("not-pve", `${host} answered, but not as a PVE API; is the endpoint right?`);
    }
    // PVE has JSON or nothing for what it refuses, says 501 to what it does not know, and never redirects.
    const html = String(answered["content-type"]).startsWith("text/html");
    if (statusCode < 400 || (statusCode < 500 && html) || (statusCode === 404 && answer === undefined)) {
      const text = `${host} answered ${statusCode}: that is not a PVE API; is the endpoint right?`;
      throw new ConnectionError("not-pve", text);
    }
    const words = answer?.message?.trim() || statusText;
    throw new ApiError(`${method} ${apiPath}`, statusCode, words, answer?.errors ?? {});
  }

  /** Logs in once for all calls; a login that failed is forgotten. */
  #logIn({ username, password }: Login & { kind: "password" }): Promise<Record<string, string>> {
    if (this.#ticket) return this.#ticket;
    const request = "/access/ticket";
    const ticket = this.#call<Ticket>("POST", request, { username, password }, {}).then(
      ({ ticket: text, CSRFPreventionToken, NeedTFA }) => {
        if (NeedTFA) {
          const words = "the user has a second factor, which a program cannot give; use an API token";
          throw new ApiError(`POST ${request}`, 401, words);
        }
        // As it is: every character of a ticket may stand in a cookie.
        return { cookie: `PVEAuthCookie=${text}`, csrfpreventiontoken: CSRFPreventionToken };
      },
    );
    this.#ticket = ticket;
    ticket.catch(() => {
      if (this.#ticket === ticket) this.#ticket = undefined;
    });
    return ticket;
  }
}

interface Ticket {
  ticket: string;
  CSRFPreventionToken: string;
  NeedTFA?: number;
}

interface Answer {
  data?: unknown;
  message?: string;
  errors?: Record<string, string>;
}

function parse(text: string): Answer | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Answer) : undefined;
  } catch {
    return undefined;
  }
}

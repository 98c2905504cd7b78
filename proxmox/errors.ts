/** Base of everything that can go wrong between this program and a cluster. `code` is stable, the text is for people. */
export class ProxmoxError extends Error {
  override name = "ProxmoxError";
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

export type ConnectionCode = "dns" | "refused" | "unreachable" | "timeout" | "dropped" | "tls" | "not-pve";

/** What Node's sockets say when no connection comes about, for HTTPS as for SSH. */
export const NETWORK_CODES = {
  ENOTFOUND: "dns",
  EAI_AGAIN: "dns",
  ECONNREFUSED: "refused",
  EHOSTUNREACH: "unreachable",
  ENETUNREACH: "unreachable",
  ETIMEDOUT: "timeout",
} as const;

/** No answer of a PVE API came back. */
export class ConnectionError extends ProxmoxError {
  override name = "ConnectionError";
  declare readonly code: ConnectionCode;
}

/** The PVE API answered with an error. */
export class ApiError extends ProxmoxError {
  override name = "ApiError";
  readonly status: number;
  /** What PVE says of single parameters. */
  readonly parameters: Readonly<Record<string, string>>;
  /** PVE's own words, without ours around them. */
  readonly answer: string;

  constructor(request: string, status: number, answer: string, parameters: Record<string, string> = {}) {
    const details = Object.entries(parameters).map(([key, text]) => `${key}: ${text.trim()}`);
    const text = [answer.trim().replace(/\.$/, "") || `HTTP ${status}`, ...details].join("; ");
    super(status === 401 ? "login" : status === 403 ? "permission" : "api", `${request} answered ${status}: ${text}`);
    this.status = status;
    this.parameters = parameters;
    this.answer = text;
  }
}

/** The login is right as far as it goes, but the user has a second factor (PVE: TFA). */
export class SecondFactorError extends ApiError {
  override name = "SecondFactorError";
}

/** A PVE task ended with an error. */
export class TaskError extends ProxmoxError {
  override name = "TaskError";
  readonly upid: string;
  readonly exitStatus: string;
  /** The last lines of the task's log. */
  readonly log: readonly string[];

  constructor(upid: string, exitStatus: string, log: readonly string[]) {
    const [, , , , , type = "task", id = ""] = upid.split(":");
    super("task", `PVE task ${type}${id ? ` ${id}` : ""} failed: ${exitStatus}`);
    this.upid = upid;
    this.exitStatus = exitStatus;
    this.log = log;
  }
}

/** PVE's own words in an error, or the error's text. */
export function answerOf(error: unknown): string {
  if (error instanceof ApiError) return error.answer;
  if (error instanceof TaskError) return error.exitStatus;
  return error instanceof Error ? error.message : String(error);
}

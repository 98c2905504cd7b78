import type { ExecStatus } from "../../../proxmox/agent.ts";

/** cloud-init knows its JSON since 22.4; older ones have text alone. */
export const COMMANDS = {
  json: ["cloud-init", "status", "--format=json"],
  text: ["cloud-init", "status", "--long"],
} as const;

export interface CloudInitStatus {
  /** `unsupported`: this cloud-init does not know the option. */
  state: "running" | "done" | "failed" | "disabled" | "unsupported";
  /** What it is at, or what went wrong. */
  detail: string;
}

interface Report {
  status: string;
  extended: string;
  stage: string;
  detail: string;
  errors: string[];
  /** What it got over, by severity. */
  recovered: Record<string, string[]>;
}

function fromJson(text: string): Report {
  const { status, extended_status, stage, detail, errors, recoverable_errors } = JSON.parse(text) as {
    status?: string;
    extended_status?: string;
    stage?: string | null;
    detail?: string;
    errors?: string[];
    recoverable_errors?: Record<string, string[]>;
  };
  return {
    status: status ?? "",
    extended: extended_status ?? "",
    stage: stage ?? "",
    detail: detail ?? "",
    errors: errors ?? [],
    recovered: recoverable_errors ?? {},
  };
}

function fromText(text: string): Report {
  const value = (key: string) => new RegExp(`^${key}:[ \\t]*(.*)$`, "m").exec(text)?.[1]?.trim() ?? "";
  const detail = /^detail:\s*(.*)$/m.exec(text)?.[1]?.trim() ?? "";
  return { status: value("status"), extended: value("extended_status"), stage: "", detail, errors: [], recovered: {} };
}

/** What cloud-init calls recoverable and is only advice: an option that will go away in some later version. */
const ADVICE = new Set(["DEPRECATED", "INFO", "DEBUG"]);

function stateOf({ status, extended, stage, detail, errors, recovered }: Report): CloudInitStatus | undefined {
  const words = `${status} ${extended}`;
  if (/^error/.test(status)) return { state: "failed", detail: errors.join("; ") || detail };
  if (/running|not (run|started)/.test(words)) return { state: "running", detail: stage };
  if (/disabled/.test(status)) return { state: "disabled", detail };
  if (!/done|degraded/.test(status)) return undefined;
  const severe = Object.entries(recovered).flatMap(([severity, texts]) => (ADVICE.has(severity) ? [] : texts));
  const degraded = severe.length > 0 || (/degraded/.test(words) && Object.keys(recovered).length === 0);
  return degraded ? { state: "failed", detail: severe.join("; ") || "degraded" } : { state: "done", detail };
}

/** What `cloud-init status` says; undefined if it is no answer at all. */
export function parseStatus({ "out-data": out = "", "err-data": err = "" }: ExecStatus): CloudInitStatus | undefined {
  if (/unrecognized arguments|invalid choice/.test(err)) return { state: "unsupported", detail: err.trim() };
  const text = out.trim();
  try {
    return stateOf(text.startsWith("{") ? fromJson(text) : fromText(text));
  } catch {
    return undefined;
  }
}

import { readFile } from "node:fs/promises";
import path from "node:path";

/** JSON as it comes from a file or an answer. */
export type Json = string | number | boolean | null | Json[] | { [key: string]: Json };
export type JsonObject = { [key: string]: Json };

export interface RecordedRequest {
  readonly method: string;
  readonly path: string;
  readonly params: Readonly<Record<string, string | number>>;
}

export interface RecordedResponse {
  readonly status: number;
  readonly reason?: string;
  readonly message?: string | null;
  readonly errors?: JsonObject | null;
  readonly data?: Json;
  readonly outcomes?: readonly JsonObject[];
}

export interface RecordedTask {
  readonly type: string;
  readonly id: string;
  readonly user: string;
  readonly exitstatus: string;
  readonly log: readonly string[];
}

/** A line of shared.jsonl or second.jsonl; recorded/README.md says what the fields mean. */
export interface SharedStep {
  readonly id: string;
  readonly about: string;
  readonly as: string;
  readonly request: { readonly method: string; readonly path: string | null; readonly params: Json };
  readonly response: RecordedResponse | null;
  readonly task: RecordedTask | null;
  readonly then: Readonly<Record<string, Json>> | null;
  readonly async?: boolean;
  readonly partial?: boolean;
  readonly where?: Json;
  readonly save?: Readonly<Record<string, string>>;
  readonly unstable?: boolean;
}

/** A line of provider.jsonl. */
export interface ProviderStep {
  readonly n: number;
  readonly phase: string;
  readonly as: string;
  readonly request: RecordedRequest;
  readonly response: RecordedResponse;
  readonly task_of?: number;
  readonly unstable?: boolean;
}

const folder = path.join(import.meta.dirname, "..", "recorded");

async function lines<T>(name: string): Promise<T[]> {
  const text = await readFile(path.join(folder, name), "utf8");
  return text
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map((line) => JSON.parse(line) as T);
}

/** Both start from the pristine node. */
export const sharedFiles = ["shared.jsonl", "second.jsonl"] as const;
export type SharedFile = (typeof sharedFiles)[number];

export const readShared = (name: SharedFile): Promise<SharedStep[]> => lines<SharedStep>(name);
export const readProvider = (): Promise<ProviderStep[]> => lines<ProviderStep>("provider.jsonl");

/** sha256 of the image server's files by name. */
export async function readChecksums(): Promise<Record<string, string>> {
  const fixtures = JSON.parse(await readFile(path.join(folder, "fixtures.json"), "utf8")) as Record<
    string,
    { sha256: string }
  >;
  return Object.fromEntries(Object.entries(fixtures).map(([name, entry]) => [name, entry.sha256]));
}

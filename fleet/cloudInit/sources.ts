import type { CloudInit } from "../../config/cloudInit.ts";

/** The cloud-init snippets, with the keys of `cloudInit` that go into each. */
const SOURCES = {
  vendor: ["packages", "packageUpgrade", "timezone", "locale", "runCommands", "writeFiles", "vendor"],
  user: ["user", "password", "sshPublicKeyFile", "sshPublicKeys", "userData"],
  network: ["network"],
} as const satisfies Record<string, readonly (keyof CloudInit)[]>;

/**
 * The places of the config that a snippet is made from.
 *
 * @param path where the template stands in the config
 */
export const snippetSources = (kind: keyof typeof SOURCES | "clones", path: string): string[] =>
  // The clones' vendor-data is the template's, and what keeps their instance.
  SOURCES[kind === "clones" ? "vendor" : kind].map((key) => `${path}.cloudInit.${key}`);

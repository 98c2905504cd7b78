import type { FirstBoot } from "./cloudInit.ts";

/** The snippets of cloud-init, with the keys of `cloudInit` that go into each. */
export const SNIPPET_SOURCES = {
  vendor: ["packages", "packageUpgrade", "timezone", "locale", "runCommands", "writeFiles", "vendor"],
  user: ["user", "password", "sshPublicKeyFile", "sshPublicKeys", "userData", "raw"],
  meta: ["meta"],
  network: ["network"],
} as const satisfies Record<string, readonly (keyof FirstBoot)[]>;

export type SnippetKind = keyof typeof SNIPPET_SOURCES;

import { SNIPPET_SOURCES, type SnippetKind } from "../../config/snippetSources.ts";

/**
 * The places of the config that a snippet is made from.
 *
 * @param path where the template, clone set or clone stands in the config
 */
export const snippetSources = (kind: SnippetKind | "clones", path: string): string[] =>
  // The clones' vendor-data is the template's, and what keeps their instance.
  SNIPPET_SOURCES[kind === "clones" ? "vendor" : kind].map((key) => `${path}.cloudInit.${key}`);

import type { CloudInit, FirstBoot } from "../cloudInit.ts";
import { readLocalFile } from "../files.ts";
import { found, type Problem } from "../problem.ts";
import { SNIPPET_SOURCES } from "../snippetSources.ts";
import { saysNothing } from "./snippets.ts";

/** What `raw` takes the place of. */
const REPLACED = [...SNIPPET_SOURCES.user, ...SNIPPET_SOURCES.vendor].filter((key) => key !== "raw");

/** What is wrong with `raw` and `meta`: a file that cannot be read, and what would be lost beside `raw`. */
export function wholeTexts(cloudInit: FirstBoot | CloudInit, path: string): Problem[] {
  const { raw, meta } = cloudInit;
  const unread = Object.entries({ raw, meta }).flatMap(([key, whole]): Problem[] => {
    const file = whole?.file;
    if (file === undefined) return [];
    const read = readLocalFile(file);
    if ("reason" in read) return [{ path: `${path}.${key}.file`, message: `found ${found(file)}; ${read.reason}` }];
    const message = `found "${file}", which is empty; expected the text for the guest`;
    return read.text.trim() === "" ? [{ path: `${path}.${key}.file`, message }] : [];
  });
  const lost = raw === undefined ? [] : REPLACED.filter((key) => !saysNothing(cloudInit[key]));
  const beside = lost.map((key) => ({
    path: `${path}.${key}`,
    message: `found it beside ${path}.raw, which is all of the user-data; expected one of the two`,
  }));
  return [...unread, ...beside];
}

/** A first-boot configuration with its files read. */
export const inlined = <T extends FirstBoot>({ raw, meta, ...rest }: T): T =>
  ({
    ...rest,
    ...(raw && { raw: { text: wholeText(raw) } }),
    ...(meta && { meta: { text: wholeText(meta) } }),
  }) as T;

/** The text of `raw` or `meta`, once nothing is wrong with it. */
export function wholeText({ text, file }: NonNullable<FirstBoot["raw"]>): string {
  if (text !== undefined) return text;
  const read = file === undefined ? undefined : readLocalFile(file);
  return read && "text" in read ? read.text : "";
}

/** User names, passwords and tokens in URLs. */

/** Names of query parameters that are credentials. */
const TOKEN = /(token|signature|secret|password|passwd|pwd|jwt|api[-_]?key|access[-_]?key)$|^(sig|key|auth)$/i;

/** Whether a URL carries a user name, a password or a token. */
export function hasCredentials(url: string): boolean {
  const { username, password, searchParams } = new URL(url);
  return username !== "" || password !== "" || [...searchParams.keys()].some((name) => TOKEN.test(name));
}

/** A text whose URLs have no user names, passwords and queries any more. */
export const withoutCredentials = (text: string): string =>
  text.replace(/(\w:\/\/)[^/?#\s"']*@/g, "$1…@").replace(/(\w:\/\/[^?\s"']*\?)[^\s"']+/g, "$1…");

const nameOf = (parameter: string) => parameter.split("=")[0] ?? "";

/** A URL without user name, password and tokens: with another login it still names the same file. */
export function withoutLogin(url: string): string {
  const [place = "", ...rest] = url.replace(/^(\w+:\/\/)[^/?#]*@/, "$1").split("?");
  const query = rest.join("?");
  const kept = query.split("&").filter((parameter) => !TOKEN.test(nameOf(parameter)));
  return kept.join("&") === "" ? place : `${place}?${kept.join("&")}`;
}

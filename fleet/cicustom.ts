/**
 * PVE's `cicustom` with other volumes for some kinds of snippets.
 *
 * @param inherited `user=local:snippets/a.yaml,vendor=local:snippets/b.yaml`
 * @param own volume ids by kind
 */
export function withSnippets(inherited: string | undefined, own: Readonly<Record<string, string>>): string {
  const parts = (inherited ?? "").split(",").filter(Boolean);
  const all = new Map(parts.map((part) => [part.slice(0, part.indexOf("=")), part.slice(part.indexOf("=") + 1)]));
  for (const [kind, volumeId] of Object.entries(own)) all.set(kind, volumeId);
  return [...all].map(([kind, volumeId]) => `${kind}=${volumeId}`).join(",");
}

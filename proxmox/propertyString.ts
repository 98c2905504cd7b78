/**
 * A property string as PVE has them in a config: `virtio=BC:24:11:00:00:01,bridge=vmbr0`. A part without `=` is the value of
 * the format's default key, such as the volume of a drive; it is kept under the empty key.
 */
export type Properties = Map<string, string>;

export function parseProperties(value: unknown): Properties {
  const parts = String(value ?? "")
    .split(",")
    .filter(Boolean);
  return new Map(
    parts.map((part) => {
      const at = part.indexOf("=");
      return at < 0 ? ["", part] : [part.slice(0, at), part.slice(at + 1)];
    }),
  );
}

export function formatProperties(properties: Properties): string {
  return [...properties].map(([key, value]) => (key === "" ? value : `${key}=${value}`)).join(",");
}

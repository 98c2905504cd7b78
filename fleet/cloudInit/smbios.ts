const BASE64 = "base64";

/** Fields that are texts; with `base64=1` PVE has all of them in base64. */
const TEXTS = new Set(["manufacturer", "product", "version", "serial", "sku", "family"]);

const base64 = (text: string) => Buffer.from(text).toString(BASE64);

/**
 * PVE's `smbios1` with another serial. What else is in it stays, above all the `uuid`, which PVE gives to each clone.
 *
 * @param current the VM's `smbios1`
 */
export function withSerial(current: string | undefined, serial: string): string {
  const pairs = (current ?? "")
    .split(",")
    .filter((part) => part !== "")
    .map((part): [string, string] => [part.slice(0, part.indexOf("=")), part.slice(part.indexOf("=") + 1)]);
  const encoded = pairs.some(([key, value]) => key === BASE64 && value === "1");
  const fields = new Map(
    pairs.map(([key, value]) => [key, !encoded && TEXTS.has(key) ? base64(value) : value] as const),
  );
  // A serial with ';' or '=' passes PVE's format in base64 only.
  fields.set(BASE64, "1").set("serial", base64(serial));
  return [...fields].map(([key, value]) => `${key}=${value}`).join(",");
}

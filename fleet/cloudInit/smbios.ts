const BASE64 = "base64";

/** Fields that are texts; with `base64=1` PVE has all of them in base64. */
const TEXTS = new Set(["manufacturer", "product", "version", "serial", "sku", "family"]);

const encode = (text: string) => Buffer.from(text).toString(BASE64);

function fieldsOf(smbios1: string | undefined): { fields: Map<string, string>; encoded: boolean } {
  const pairs = (smbios1 ?? "")
    .split(",")
    .filter((part) => part !== "")
    .map((part): [string, string] => [part.slice(0, part.indexOf("=")), part.slice(part.indexOf("=") + 1)]);
  return { fields: new Map(pairs), encoded: pairs.some(([key, value]) => key === BASE64 && value === "1") };
}

/**
 * PVE's `smbios1` with another serial. What else is in it stays, above all the `uuid`, which PVE gives to each clone.
 *
 * @param current the VM's `smbios1`
 */
export function withSerial(current: string | undefined, serial: string): string {
  const { fields, encoded } = fieldsOf(current);
  if (!encoded) for (const [key, value] of fields) if (TEXTS.has(key)) fields.set(key, encode(value));
  // A serial with ';' or '=' passes PVE's format in base64 only.
  fields.set(BASE64, "1").set("serial", encode(serial));
  return [...fields].map(([key, value]) => `${key}=${value}`).join(",");
}

/** The serial in PVE's `smbios1`, as the guest sees it. */
export function serialOf(smbios1: string | undefined): string | undefined {
  const { fields, encoded } = fieldsOf(smbios1);
  const serial = fields.get("serial");
  return encoded && serial !== undefined ? Buffer.from(serial, BASE64).toString() : serial;
}

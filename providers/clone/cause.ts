/**
 * Why a clone failed, in a line, with its own name and VMID left out: clones that failed alike have the same cause.
 *
 * An error's first line says what was tried, its second what PVE answered.
 */
export function causeOf({
  name,
  vmId,
  error = "no cause is known",
}: {
  name?: string | undefined;
  vmId: number;
  error?: string | undefined;
}): string {
  const [first = "", second] = error.split("\n");
  const line = /^could not /.test(first) && second !== undefined ? second.trim() : first;
  const words = [...(name ? [[name, "<name>"] as const] : []), [String(vmId), "<VMID>"] as const];
  return words.reduce((text, [word, placeholder]) => {
    const quoted = word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
    return text.replace(new RegExp(`(?<![\\w.-])${quoted}(?![\\w-])`, "g"), placeholder);
  }, line);
}

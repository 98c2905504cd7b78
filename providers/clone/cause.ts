interface Failed {
  name?: string | undefined;
  vmId: number;
  error?: string | undefined;
}

/** A text about a clone with its own name and VMID left out: what is said of clones that fare alike is alike. */
export function alike(text: string, { name, vmId }: Failed): string {
  const words = [...(name ? [[name, "<name>"] as const] : []), [String(vmId), "<VMID>"] as const];
  return words.reduce((rest, [word, placeholder]) => {
    const quoted = word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
    return rest.replace(new RegExp(`(?<![\\w.-])${quoted}(?![\\w-])`, "g"), placeholder);
  }, text);
}

/**
 * Why a clone failed, in a line that is the same for all clones that failed alike.
 *
 * An error's first line says what was tried, its second what PVE answered.
 */
export function causeOf(failed: Failed): string {
  const [first = "", second] = (failed.error ?? "no cause is known").split("\n");
  return alike(/^could not /.test(first) && second !== undefined ? second.trim() : first, failed);
}

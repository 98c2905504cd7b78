import { withoutLogin } from "../../config/credentials.ts";
import type { PlacedTemplate } from "../../config/fleet.ts";
import { parseChecksum, type Template } from "../../config/template.ts";
import { templatePart } from "../../fleet/urns.ts";
import { cachedName } from "./fileName.ts";
import type { ImageState } from "./provider.ts";

/**
 * Whether a template of the config is made from this file. Where the config does not have the checksum, the URL decides.
 * Here nobody knows which URLs are secrets, so the file's name may be either.
 */
function uses({ image }: Template, state: ImageState): boolean {
  const checksum = image.checksum && parseChecksum(image.checksum)?.value;
  if (!checksum) return withoutLogin(image.url) === withoutLogin(state.url);
  return [false, true].some((hidden) => cachedName({ ...image, checksum, hidden }) === state.storedName);
}

/**
 * The template for whose sake a file stays, although the one that goes has `keepImage: false`: another one of the config
 * that wants it kept, or that goes on using it while only this one goes.
 *
 * @param name the resource that the file belonged to: the template's VMID stands in it, and in states of earlier versions its key
 * @param shared whether all nodes have the same file
 */
export function keptFor(
  name: string,
  state: ImageState,
  templates: Readonly<Record<string, PlacedTemplate>>,
  shared: boolean,
): string | undefined {
  const users = Object.entries(templates).filter(
    ([, template]) => (shared || template.node === state.node) && uses(template, state),
  );
  const others = users.filter(([key, { vmId }]) => name !== templatePart(vmId, "image") && name !== `${key}-image`);
  const keeper = others.find(([, template]) => template.image.keepImage);
  if (keeper) return keeper[0];
  // The template is in the config still: all of the stack goes, and the others' own deletes say the same.
  const staysBehind = users.length === others.length;
  return staysBehind ? others[0]?.[0] : undefined;
}

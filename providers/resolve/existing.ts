import { isDeepStrictEqual } from "node:util";
import type { ExistingQuery, TemplateFacts } from "../../config/existing.ts";
import type { Problem } from "../../config/problem.ts";
import type { Open } from "../../config/resolved.ts";
import { list } from "../../config/text.ts";
import type { PveClient } from "../../proxmox/client.ts";
import { answerOf } from "../../proxmox/errors.ts";
import { type GuestEntry, isUnreachable, readConfig } from "../../proxmox/guests.ts";
import { templateFacts } from "./templateFacts.ts";

/** Templates that are named where several match. */
const NAMED = 5;

const said = ({ vmId, name, node, tags }: ExistingQuery): string =>
  list([
    ...(vmId === undefined ? [] : [`VMID ${vmId}`]),
    ...(name === undefined ? [] : [`name "${name}"`]),
    ...(tags === undefined ? [] : [`tags ${tags.join(", ")}`]),
    ...(node === undefined ? [] : [`node ${node}`]),
  ]);

const tagsOf = ({ tags = "" }: GuestEntry): string[] => tags.split(/[;,\s]+/).filter(Boolean);

function matches({ vmId, name, node, tags = [] }: ExistingQuery, guest: GuestEntry): boolean {
  if (guest.type !== "qemu") return false;
  if (vmId !== undefined) return guest.vmid === vmId;
  const own = tagsOf(guest);
  const isNamed = name === undefined || guest.name === name;
  return (
    Boolean(guest.template) && isNamed && (node ?? guest.node) === guest.node && tags.every((one) => own.includes(one))
  );
}

const named = ({ vmid, name, node }: GuestEntry): string => `${vmid}${name ? ` "${name}"` : ""} on node ${node}`;

/** The one guest that is meant, or why there is none. */
function meant(query: ExistingQuery, guests: readonly GuestEntry[]): GuestEntry | string {
  const found = guests.filter((guest) => matches(query, guest));
  const [first, ...more] = found;
  if (first && more.length === 0) return first;
  if (!first) {
    const others = guests.filter(({ type, template }) => type === "qemu" && template).slice(0, NAMED);
    const there = others.length > 0 ? `; templates that this login sees: ${list(others.map(named))}` : "";
    return `found ${said(query)}, but no template that this login sees (VM.Audit) has that${there}`;
  }
  const rest = found.length > NAMED ? ` and ${found.length - NAMED} more` : "";
  return `found ${said(query)}, which ${found.length} templates have: ${list(found.slice(0, NAMED).map(named))}${rest}; expected what one alone has, for example its vmId`;
}

/** @returns a text: why it is not found */
async function lookUp(
  client: PveClient,
  query: ExistingQuery,
  guests: readonly GuestEntry[],
): Promise<TemplateFacts | string> {
  const guest = meant(query, guests);
  if (typeof guest === "string") return guest;
  const { vmid: vmId, node } = guest;
  try {
    const config = await readConfig(client, node, vmId);
    if (!config) return `found ${said(query)}, but VM ${vmId} has just gone from node ${node}`;
    if (Number(config.template ?? 0) !== 1)
      return `found VM ${named(guest)}, which is no template; expected one: \`qm template ${vmId}\` on ${node} makes it one`;
    return templateFacts({ vmId, node }, config);
  } catch (error) {
    if (isUnreachable(error)) return `found VM ${named(guest)}, and that node does not answer`;
    return `found VM ${named(guest)}, which could not be read: ${answerOf(error)}`;
  }
}

/**
 * The templates that were made elsewhere. Nothing is changed on them, now or later.
 *
 * @param last those of which no clone has to be made, as they were found last: they may be gone, or on a node that is down
 */
export async function existingTemplates(
  client: PveClient,
  wanted: Open["existing"],
  guests: readonly GuestEntry[],
  last: Readonly<Record<string, TemplateFacts>> = {},
): Promise<{ existing: Record<string, TemplateFacts>; problems: Problem[] }> {
  const existing: Record<string, TemplateFacts> = {};
  const problems: Problem[] = [];
  for (const [key, { path, query }] of Object.entries(wanted)) {
    const found = await lookUp(client, query, guests);
    const known = last[key];
    if (typeof found !== "string") existing[key] = { ...found, query };
    // Another query is another template that is meant.
    else if (known && isDeepStrictEqual(known.query, query)) existing[key] = { ...known, missing: found };
    else problems.push({ path, message: found });
  }
  return { existing, problems };
}

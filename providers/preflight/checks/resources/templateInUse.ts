import type { PlacedTemplate } from "../../../../config/fleet.ts";
import { snippetKeys, usesSnippets } from "../../../../config/rules/snippets.ts";
import { list } from "../../../../config/text.ts";
import type { Facts } from "../../facts.ts";
import { type Check, each, type Finding, fail, orPass, warn } from "../../finding.ts";
import { allTemplatesOf, clonesOf, distinct, type KeyedTemplate, type SetClone, templatesOf } from "../../needs.ts";
import { left } from "./templateLeft.ts";
import { type ContentOf, contentOf, foundTemplate, othersTodo, usersOf, usersText } from "./templateUsers.ts";

/** What a new template means for the clone sets that use it. */
function consequence(users: readonly SetClone[]): string {
  const sets = distinct(users, ({ key }) => key);
  if (sets.length === 0) return "";
  const names = (wanted: "ignore" | "replace") =>
    sets.filter(({ set }) => set.onTemplateChange === wanted).map(({ key }) => `cloneSets.${key}`);
  const [stay, move] = [names("ignore"), names("replace")];
  return [
    ` It is the template of ${list(sets.map(({ key }) => `cloneSets.${key}`))}`,
    ...(stay.length > 0 ? [`clones ${move.length > 0 ? `of ${list(stay)} ` : ""}that exist stay as they are`] : []),
    ...(move.length > 0 ? [`those of ${list(move)} are made anew, maxUnavailable at a time`] : []),
  ]
    .join("; ")
    .concat(".");
}

/** What to do instead of moving a template under its linked clones. */
const wayBack = (node: string, { path, node: wanted, template }: KeyedTemplate): string[] => [
  `Leave ${path} on node ${node}; with nodes: [${node}, ${wanted}] it gets a replica on the other.`,
  `If somebody has migrated it, on ${node}: qm migrate ${template.vmId} ${wanted}`,
];

/** What to do instead of changing a template under its linked clones. */
const waysOut = ({ key, path, template: { replicaOf = key } }: KeyedTemplate, sets: readonly string[]): string[] => [
  `Give ${path}.vmId a VMID that is free: the new template is made beside the old one, and clones of sets with`,
  "onTemplateChange: replace move to it, maxUnavailable at a time.",
  `Or leave this template as it was, and put the change into a new one, for example templates.${replicaOf}-2; then set the`,
  `template of ${list(sets.length > 0 ? sets : ["a clone set"])} to it: new clones come from the new one.`,
  "Or remove the linked clones first (createClones: false, pulumi up), then change the template.",
];

/** What keeps a template as it is that would be another one only because SSH has come or gone. */
function sameButForSnippets(
  template: PlacedTemplate,
  content: string | undefined,
  hash: (one: PlacedTemplate) => string,
) {
  const { cloudInit, path } = template;
  const snippets = !usesSnippets(template);
  if (!snippets && snippetKeys(template).length > 0) return [];
  const before = { ...template, cloudInit: { ...cloudInit, snippets } };
  return content === hash(before)
    ? [
        `Only how its cloud-init reaches it is another one: with ${path}.cloudInit.snippets: ${snippets} it stays as it is.`,
      ]
    : [];
}

/** A template that keeps its VMID but not its content or node: PVE has one VM for a VMID, so the old one goes first. */
async function changed(facts: Facts, one: KeyedTemplate<PlacedTemplate>, hash: ContentOf): Promise<Finding[]> {
  const { key, path, node, template } = one;
  const { vmId, replicaOf = key } = template;
  const guests = await facts.guests();
  const found = await foundTemplate(
    facts,
    guests.find(({ vmid }) => vmid === vmId),
  );
  // A template by another key is vmid-free's.
  if (found?.mark.resource !== `templates.${key}`) return [];
  const { guest, mark } = found;
  const sameContent = mark.content === hash(template, facts);
  if (sameContent && guest.node === node) return [];

  const byWay = sameContent ? [] : sameButForSnippets(template, mark.content, (other) => hash(other, facts));
  const what = sameContent ? `is to move from node ${guest.node} to ${node}` : "has changed";
  const concerned = clonesOf(facts.whole).filter(({ source }) => source?.key === replicaOf);
  const users = await usersOf(facts, found);
  // Nobody has asked for that: the login is another one, or `cluster.ssh` has come or gone.
  if (byWay.length > 0 && !template.saysSnippets)
    return [
      fail(`VM ${vmId} would be replaced only because SSH to the nodes has come or gone`, {
        path,
        todo: [...byWay, `With ${path}.cloudInit.snippets: ${usesSnippets(template)} it is replaced.`],
      }),
    ];
  if (users.clones.length + users.others.length === 0)
    return [
      warn(`the template ${what}: VM ${vmId} is going to be replaced.${consequence(concerned)}`, { path, todo: byWay }),
    ];
  const sets = [...new Set(concerned.map((clone) => `cloneSets.${clone.key}`))];
  return [
    fail(
      `the template ${what}, so VM ${vmId} would have to be replaced, but linked clones of it are alive: ${usersText(users, guests)}`,
      {
        path,
        todo: [...byWay, ...(sameContent ? wayBack(guest.node, one) : waysOut(one, sets)), ...othersTodo(users)],
      },
    ),
  ];
}

/** Hashes a template once: a password in it takes its time. */
function once(hash: ContentOf): ContentOf {
  const known = new Map<PlacedTemplate, string>();
  return (template, facts) => {
    const content = known.get(template) ?? hash(template, facts);
    known.set(template, content);
    return content;
  };
}

/** No template with linked clones would have to go: one that has changed, or that the config no longer has. */
export const templateInUseBy = (hash: ContentOf): Check => ({
  id: "template-in-use",
  group: "resources",
  async run(facts) {
    const templates = templatesOf(facts.fleet);
    const kept = new Set([
      ...allTemplatesOf(facts.whole).map(({ template }) => template.vmId),
      ...clonesOf(facts.whole).map(({ clone }) => clone.vmId),
    ]);
    const old = (await facts.guests()).filter(({ vmid, template }) => template && !kept.has(vmid));
    if (templates.length + old.length === 0) return [];
    const content = once(hash);
    const problems = [
      ...(await each(templates, (one) => changed(facts, one, content))),
      ...(await each(old, (one) => left(facts, one, content))),
    ];
    return orPass(problems, "no template with linked clones would have to go");
  },
});

export const templateInUse = templateInUseBy(contentOf);

import { didYouMean } from "../../../../config/text.ts";
import type { Datastore } from "../../../../proxmox/storage.ts";
import type { Facts } from "../../facts.ts";
import { type Check, each, type Finding, fail, orPass, warn } from "../../finding.ts";
import { distinct } from "../../needs.ts";
import { allocationsOf, type DatastoreUse, datastoreUses } from "../../storageNeeds.ts";

/** Looks at every use of a datastore, with the datastore as its node has it. */
function eachUse(
  facts: Facts,
  look: (use: DatastoreUse, found: Datastore | undefined, all: readonly Datastore[]) => Finding[],
): Promise<Finding[]> {
  return each(datastoreUses(facts.fleet), async (use) => {
    const all = await facts.datastores(use.node);
    return look(
      use,
      all.find(({ storage }) => storage === use.datastore),
      all,
    );
  });
}

/** One problem for each node, datastore and place in the config. */
const once = () => {
  const seen = new Set<string>();
  return ({ node, datastore, path }: DatastoreUse) => {
    const key = `${node} ${datastore} ${path}`;
    const first = !seen.has(key);
    seen.add(key);
    return first;
  };
};

/** Every datastore of the config exists on the node that uses it. */
export const datastoreExists: Check = {
  id: "datastore-exists",
  group: "resources",
  async run(facts) {
    if (datastoreUses(facts.fleet).length === 0) return [];
    const configs = await facts.datastoreConfigs();
    const first = once();
    const problems = await eachUse(facts, (use, found, all) => {
      const { node, datastore, path, what } = use;
      if (found || !first(use)) return [];
      const elsewhere = configs.find(({ storage }) => storage === datastore)?.nodes;
      if (elsewhere !== undefined)
        return [
          fail(
            `found "${datastore}" (for ${what}), which is limited to other nodes (${elsewhere}); expected one of node ${node}`,
            {
              path,
              todo: [`pvesm set ${datastore} --nodes ${elsewhere},${node}`],
            },
          ),
        ];
      const known = all.map(({ storage }) => storage).sort();
      const meant = didYouMean(datastore, known);
      return [
        fail(
          `found "${datastore}" (for ${what}), but node ${node} has no such datastore, or this login may not see it (see privileges); ${meant ? `did you mean "${meant}"?` : `expected one of ${known.join(", ") || "(none can be seen)"}`}`,
          { path },
        ),
      ];
    });
    return orPass(problems, "every datastore exists on its node");
  },
};

/** Every datastore of the config is enabled and active. */
export const datastoreActive: Check = {
  id: "datastore-active",
  group: "resources",
  async run(facts) {
    if (datastoreUses(facts.fleet).length === 0) return [];
    const first = once();
    const problems = await eachUse(facts, (use, found) => {
      const { node, datastore, path } = use;
      if (!found || !first(use)) return [];
      if (found.enabled === 0)
        return [
          fail(`datastore ${datastore} is disabled; expected it enabled`, {
            path,
            todo: [`pvesm set ${datastore} --disable 0`],
          }),
        ];
      if (found.active === 0)
        return [
          fail(`datastore ${datastore} is not active on node ${node}: PVE cannot reach or mount it`, {
            path,
            todo: [`On ${node}, see why: pvesm status --storage ${datastore}`],
          }),
        ];
      return [];
    });
    return orPass(problems, "every datastore is enabled and active");
  },
};

const CONTENT_WORDS: Record<string, string> = { images: "Disk image", import: "Import", snippets: "Snippets" };

/** Every datastore of the config carries the content type that it is used for. */
export const datastoreContent: Check = {
  id: "datastore-content",
  group: "resources",
  async run(facts) {
    if (datastoreUses(facts.fleet).length === 0) return [];
    const missing: (DatastoreUse & { carried: string[] })[] = [];
    const skipped = await eachUse(facts, (use, found) => {
      const carried = found?.content.split(",") ?? [];
      if (found && !carried.includes(use.content)) missing.push({ ...use, carried });
      return [];
    });
    const problems = distinct(missing, (use) => `${use.datastore} ${use.content} ${use.path}`).map(
      ({ datastore, content, path, what, carried }) => {
        // All that is missing on a datastore in one line: the command sets the whole list.
        const all = new Set([
          ...carried,
          ...missing.flatMap((one) => (one.datastore === datastore ? one.content : [])),
        ]);
        return fail(
          `datastore ${datastore} carries ${carried.join(", ")}; expected ${content} ("${CONTENT_WORDS[content]}") for ${what}`,
          { path, todo: [`pvesm set ${datastore} --content ${[...all].sort().join(",")}`] },
        );
      },
    );
    return orPass([...problems, ...skipped], "every datastore carries what it is used for");
  },
};

const GIB = 2 ** 30;
/** Less than this is full: neither a golden image nor a clone fits. */
const LEAST = GIB;

const gib = (bytes: number) => `${(bytes / GIB).toFixed(bytes < 10 * GIB ? 1 : 0)} GiB`;

/** Of these datastores, those that are one for all nodes. */
async function sharedDatastores(facts: Facts, places: readonly { node: string }[]): Promise<Set<string>> {
  const nodes = [...new Set(places.map(({ node }) => node))];
  // A node that cannot be asked is told below.
  const lists = await Promise.all(nodes.map((node) => facts.datastores(node).catch(() => [])));
  return new Set(lists.flat().flatMap(({ storage, shared }) => (shared ? [storage] : [])));
}

/** There is room for the disks that are to be made. On thin storage disks grow, so there a lack is a warning. */
export const datastoreSpace: Check = {
  id: "datastore-space",
  group: "resources",
  async run(facts) {
    const { fleet } = facts;
    const existing = new Set((await facts.guests()).map(({ vmid }) => vmid));
    const allocations = allocationsOf(fleet, (vmId) => existing.has(vmId));
    if (allocations.length === 0) return [];
    const configs = new Map((await facts.datastoreConfigs()).map((one) => [one.storage, one]));
    const shared = await sharedDatastores(facts, allocations);
    const places = distinct(allocations, ({ node, datastore }) =>
      shared.has(datastore) ? datastore : `${node} ${datastore}`,
    );
    const uses = datastoreUses(fleet);
    const problems = await each(places, async ({ node, datastore }): Promise<Finding[]> => {
      const found = (await facts.datastores(node)).find(({ storage }) => storage === datastore);
      // Missing, disabled or unreachable: other checks say so.
      if (found?.avail === undefined || found.active === 0 || found.enabled === 0) return [];
      const here = allocations.filter(
        (one) => one.datastore === datastore && (one.node === node || shared.has(datastore)),
      );
      const wanted = here.reduce((sum, { bytes }) => sum + bytes, 0);
      const vms = new Set(here.map(({ vmId }) => vmId)).size;
      const path = uses.find(
        (use) => use.node === node && use.datastore === datastore && use.content === "images",
      )?.path;
      const more = path === undefined ? {} : { path };
      const text = `datastore ${datastore} on node ${node} has ${gib(found.avail)} free; the disks of ${vms} new VM${vms === 1 ? "" : "s"} are ${gib(wanted)}`;
      if (found.avail < Math.min(LEAST, wanted))
        return [fail(`${text}. It is full`, { ...more, todo: ["Make room, or name another datastore."] })];
      if (wanted <= found.avail) return [];
      const config = configs.get(datastore);
      const thick =
        found.type === "lvm" ||
        found.type === "iscsi" ||
        (found.type === "zfspool" && !config?.sparse) ||
        ["falloc", "full"].includes(config?.preallocation ?? "");
      return thick
        ? [
            fail(`${text}, all of it allocated at once`, {
              ...more,
              todo: ["Make room, name another datastore, or use linked clones."],
            }),
          ]
        : [warn(`${text}. It is thin, so they fit until they have grown`, more)];
    });
    return orPass(problems, "there is room for all disks");
  },
};

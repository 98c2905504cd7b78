import { type Check, each, type Finding, fail, orPass, skip, warn } from "../../finding.ts";
import { snippetNodes } from "../../needs.ts";
import { snippetsFolderOf } from "../permissions/ssh.ts";

/** The datastore for snippets has its folder where the proxmoxve plugin uploads to. */
export const snippetsFolder: Check = {
  id: "snippets-folder",
  group: "resources",
  async run(facts) {
    const nodes = snippetNodes(facts.fleet);
    if (nodes.length === 0) return [];
    const name = facts.fleet.cluster.datastores.snippets;
    const path = "cluster.datastores.snippets";
    const config = (await facts.datastoreConfigs()).find(({ storage }) => storage === name);
    if (!config) return [skip(`datastore ${name} cannot be seen, see datastore-exists`)];
    if (!config.path)
      return [
        fail(
          `datastore ${name} (type ${config.type}) has no folder; expected one with files (dir, nfs, cifs, cephfs)`,
          {
            path,
          },
        ),
      ];
    const moved = /(?:^|,)\s*snippets=([^,]+)/.exec(config["content-dirs"] ?? "")?.[1];
    if (moved !== undefined && moved.replaceAll("/", "") !== "snippets")
      return [
        fail(
          `datastore ${name} has its snippets in ${moved} (content-dirs), but the proxmoxve plugin uploads to ${config.path}/snippets`,
          {
            path,
            todo: ["Name another datastore, or take snippets out of its content-dirs."],
          },
        ),
      ];
    const problems = await each(nodes, async (node): Promise<Finding[]> => {
      const { folder, exists } = await snippetsFolderOf(facts, node);
      return exists
        ? []
        : [warn(`${folder} does not exist on node ${node} yet; the upload makes it if the SSH user may`, { path })];
    });
    return orPass(problems, "the snippets folder exists");
  },
};

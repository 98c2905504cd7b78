import { ApiError } from "../../../../proxmox/errors.ts";
import { type Check, fail, NotAsked, pass } from "../../finding.ts";

/** Without quorum a cluster is read-only. A node that is in no cluster has none and needs none. */
export const quorum: Check = {
  id: "quorum",
  group: "environment",
  async run({ clusterStatus }) {
    const entries = await clusterStatus().catch((error) => {
      if (error instanceof ApiError && error.status === 403)
        throw new NotAsked("PVE shows whether the cluster has quorum only with Sys.Audit on /");
      throw error;
    });
    const cluster = entries.find(({ type }) => type === "cluster");
    if (!cluster) return [pass("a single node without a cluster")];
    if (cluster.quorate) return [pass(`cluster ${cluster.name} is quorate`)];
    const nodes = entries.filter(({ type }) => type === "node");
    const offline = nodes.filter(({ online }) => !online).map(({ name }) => name);
    return [
      fail(
        `cluster ${cluster.name} has no quorum and is read-only${offline.length > 0 ? `; offline: ${offline.join(", ")} (${nodes.length - offline.length} of ${nodes.length} nodes are left)` : ""}`,
        { todo: ["Bring the other nodes back; see on a node: pvecm status"] },
      ),
    ];
  },
};

import { ApiError } from "../../../../proxmox/errors.ts";
import { type Check, fail, pass } from "../../finding.ts";

/** Without quorum a cluster is read-only. A node that is in no cluster has none and needs none. */
export const quorum: Check = {
  id: "quorum",
  group: "environment",
  async run({ clusterStatus }) {
    const entries = await clusterStatus().catch((error) => {
      // PVE shows it with Sys.Audit on / alone; that it is missing is told with the other privileges.
      if (error instanceof ApiError && error.status === 403) return undefined;
      throw error;
    });
    if (!entries) return [];
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

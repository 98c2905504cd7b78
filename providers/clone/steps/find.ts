import { ProxmoxError } from "../../../proxmox/errors.ts";
import { type Look, nameOf } from "../../guest/lookUp.ts";
import { notThisClone } from "../mark.ts";
import { freshUuid, observedMade } from "../observed.ts";
import type { Work } from "./work.ts";

export interface FindApi {
  lookUp(node: string | undefined): Promise<Look>;
}

/** What a node that does not answer means for a VM that is on it. */
export const unreachable = (node: string, vmId: number): ProxmoxError =>
  new ProxmoxError(
    "unreachable",
    `node ${node} does not answer, so VM ${vmId} on it is left as it is; run \`pulumi up\` again when the node is back`,
  );

/** Finds the VM of a clone that the state knows, wherever it is now. */
export async function find(api: FindApi, work: Work): Promise<void> {
  const { inputs, state } = work;
  const { vmId, adopt } = inputs;
  const found = await api.lookUp(state.node);
  if (found.kind === "unreachable") throw unreachable(found.node, vmId);
  const other = found.kind === "vm" ? notThisClone(found, state.made?.uuid) : undefined;
  if (found.kind !== "vm" || (other !== undefined && !adopt)) {
    const gone = found.kind === "absent" ? `VM ${vmId} is gone` : `VMID ${vmId} is taken by ${other ?? nameOf(found)}`;
    throw new ProxmoxError("missing", `${gone}; \`pulumi refresh\` takes the clone out of the state`);
  }
  state.node = found.node;
  if (state.made) state.made = observedMade(state.made, found.config, state.spec.disks);
  work.freshUuid = freshUuid(state, found.config);
  work.config = found.config;
}

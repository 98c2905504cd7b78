import type { Problem } from "../../../config/problem.ts";
import type { Check } from "../finding.ts";
import { addressFree } from "./configuration/addressFree.ts";
import { clonesDeleted } from "./configuration/clonesDeleted.ts";
import { clonesLost } from "./configuration/clonesLost.ts";
import { macFree } from "./configuration/macFree.ts";
import { vmIdFree } from "./configuration/vmIdFree.ts";
import { apiReachable } from "./environment/apiReachable.ts";
import { login } from "./environment/login.ts";
import { nodeExists, nodeOnline } from "./environment/nodes.ts";
import { pluginTrust } from "./environment/pluginTrust.ts";
import { pveVersion } from "./environment/pveVersion.ts";
import { quorum } from "./environment/quorum.ts";
import { privileges } from "./permissions/privileges.ts";
import { snippetsWritable, sshLogin } from "./permissions/ssh.ts";
import { bridgeExists } from "./resources/bridges.ts";
import { datastoreActive, datastoreContent, datastoreExists, datastoreSpace } from "./resources/datastores.ts";
import { deviceFree, deviceMapping } from "./resources/devices.ts";
import { diskSize } from "./resources/diskSize.ts";
import { existingTemplate } from "./resources/existingTemplate.ts";
import { poolExists } from "./resources/pools.ts";
import { snippetsFolder } from "./resources/snippetsFolder.ts";
import { templateInUse } from "./resources/templateInUse.ts";
import { templateOnNode } from "./resources/templateOnNode.ts";

/** All checks of the cluster, in the order of the report. */
export const CHECKS: readonly Check[] = [
  apiReachable,
  login,
  pluginTrust,
  pveVersion,
  nodeExists,
  nodeOnline,
  quorum,
  privileges,
  sshLogin,
  snippetsWritable,
  datastoreExists,
  datastoreActive,
  datastoreContent,
  datastoreSpace,
  snippetsFolder,
  bridgeExists,
  poolExists,
  deviceMapping,
  deviceFree,
  existingTemplate,
  templateOnNode,
  diskSize,
  vmIdFree,
  addressFree,
  macFree,
  clonesDeleted,
  clonesLost,
  templateInUse,
];

/**
 * The checks that make sense with what is wrong in the config itself: a template with a mistake is not among the fleet's, and
 * would be taken for one that has left the config.
 */
export function checksFor(problems: readonly Problem[]): readonly Check[] {
  const isUnread = problems.some(({ path }) => path.startsWith("templates."));
  return isUnread ? CHECKS.filter((check) => check !== templateInUse) : CHECKS;
}

import type { Check } from "../finding.ts";
import { vmIdFree } from "./configuration/vmIdFree.ts";
import { apiReachable } from "./environment/apiReachable.ts";
import { login } from "./environment/login.ts";
import { nodeExists, nodeOnline } from "./environment/nodes.ts";
import { pluginTrust } from "./environment/pluginTrust.ts";
import { pveVersion } from "./environment/pveVersion.ts";
import { quorum } from "./environment/quorum.ts";
import { datastoreActive, datastoreContent, datastoreExists, datastoreSpace } from "./resources/datastores.ts";

/** All checks of the cluster, in the order of the report. */
export const CHECKS: readonly Check[] = [
  apiReachable,
  login,
  pluginTrust,
  pveVersion,
  nodeExists,
  nodeOnline,
  quorum,
  datastoreExists,
  datastoreActive,
  datastoreContent,
  datastoreSpace,
  vmIdFree,
];

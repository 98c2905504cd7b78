import type { CloudInit } from "../../config/cloudInit.ts";
import { merge } from "./merge.ts";
import { toYaml } from "./yaml.ts";

/**
 * The network-config snippet (PVE: `cicustom network=`), version 1 or 2, as the stack config has it. It stands alone:
 * with it, PVE makes nothing of `ipconfigN`.
 */
export const renderNetworkConfig = (network: NonNullable<CloudInit["network"]>): string => toYaml(merge({}, network));

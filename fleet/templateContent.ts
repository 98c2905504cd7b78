import type { Cluster } from "../config/cluster.ts";
import type { PlacedTemplate } from "../config/fleet.ts";
import { publicKeys } from "../config/rules/keys.ts";
import { renderNetworkConfig } from "./cloudInit/networkConfig.ts";
import { hashPassword } from "./cloudInit/password.ts";
import { renderUserData } from "./cloudInit/userData.ts";
import { renderVendorData } from "./cloudInit/vendorData.ts";
import { contentHash } from "./contentHash.ts";
import { vmArgs } from "./vmArgs.ts";

/** The cloud-init snippets of a template. */
export interface Snippets {
  vendor: string;
  user: string;
  network?: string;
}

/** The snippets in the order in which they go to the datastore: the password is hashed, the keys are in the user-data. */
export function renderSnippets({ path, cloudInit, agent }: PlacedTemplate): Snippets {
  const { keys } = publicKeys(cloudInit, `${path}.cloudInit`);
  const passwordHash = cloudInit.password && hashPassword(cloudInit.password, path);
  return {
    vendor: renderVendorData(cloudInit, { agent }),
    user: renderUserData(cloudInit, { publicKeys: keys, passwordHash }),
    ...(cloudInit.network && { network: renderNetworkConfig(cloudInit.network) }),
  };
}

/**
 * Hash of all that a template is made from. It stands in the template's mark; another hash means another template. What
 * can be changed on a template as it is (name, notes, tags, pool, protection) is not in it, nor is where it is (node,
 * VMID): the replicas of a template have one content.
 */
export function templateContent(template: PlacedTemplate, cluster: Cluster): string {
  const { checksum, checksumUrl, url } = template.image;
  const hardware = vmArgs(template.name, template, cluster, {
    imageVolumeId: "",
    userDataFileId: "",
    vendorDataFileId: "",
    networkDataFileId: "",
    notes: "",
    tags: [],
  });
  const {
    name: _name,
    description: _notes,
    tags: _tags,
    poolId: _pool,
    protection: _protection,
    onBoot: _onBoot,
    vmId: _vmId,
    nodeName: _node,
    ...made
  } = hardware;
  return contentHash({
    made,
    snippets: renderSnippets(template),
    image: checksum ?? checksumUrl ?? url,
    makeTemplate: template.makeTemplate,
  });
}

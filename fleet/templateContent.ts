import type { Cluster } from "../config/cluster.ts";
import { withoutLogin } from "../config/credentials.ts";
import type { PlacedTemplate } from "../config/fleet.ts";
import { publicKeys } from "../config/rules/keys.ts";
import { renderNetworkConfig } from "./cloudInit/networkConfig.ts";
import { hashPassword } from "./cloudInit/password.ts";
import { renderUserData } from "./cloudInit/userData.ts";
import { renderCloneVendorData, renderVendorData } from "./cloudInit/vendorData.ts";
import { contentHash } from "./contentHash.ts";
import { firstPath, type TemplateNames } from "./templateNames.ts";
import { vmArgs } from "./vmArgs.ts";

/** The cloud-init snippets of a template. */
export interface Snippets {
  vendor: string;
  user: string;
  network?: string;
}

/** The snippets that a template has, in the order in which they go to the datastore. */
export const snippetKinds = ({ cloudInit }: PlacedTemplate): (keyof Snippets)[] => [
  "vendor",
  "user",
  ...(cloudInit.network ? (["network"] as const) : []),
];

/** The texts of a template's snippets: the password is hashed, the keys are in the user-data. */
export function renderSnippets(template: PlacedTemplate, names: TemplateNames = {}): Snippets {
  const { path, cloudInit, agent } = template;
  const { keys } = publicKeys(cloudInit, `${path}.cloudInit`);
  const passwordHash = cloudInit.password && hashPassword(cloudInit.password, firstPath(template, names));
  return {
    vendor: renderVendorData(cloudInit, { agent }),
    user: renderUserData(cloudInit, { publicKeys: keys, passwordHash }),
    ...(cloudInit.network && { network: renderNetworkConfig(cloudInit.network) }),
  };
}

/** The vendor-data of the clones. A template names it nowhere, and it is no part of the template's content. */
export const renderClonesSnippet = ({ cloudInit, agent }: PlacedTemplate): string =>
  renderCloneVendorData(cloudInit, { agent });

/** Version of `contentForm`. Another one would make every template of everybody anew. */
const CONTENT_VERSION: number = 1;

/**
 * What a template is made from, in a form that stays as it is: every value in it is in the marks of VMs, as a hash. What can be
 * changed on a template as it is (name, notes, tags, pool, protection) is not in it, nor is where it is (node, VMID): the
 * replicas of a template have one content.
 *
 * An option of a later version goes in only where it differs from its default, so that a template that does not use it keeps
 * its hash: `...(template.rng && { rng: template.rng })`.
 */
function contentForm(template: PlacedTemplate, cluster: Cluster, snippets: Snippets) {
  const { image, makeTemplate } = template;
  const files = { imageVolumeId: "", userDataFileId: "", vendorDataFileId: "" };
  const vm = vmArgs(template.name, template, cluster, { ...files, notes: "", tags: [] });
  return {
    ...(CONTENT_VERSION > 1 && { version: CONTENT_VERSION }),
    made: {
      // Always the same. They were in it from the beginning, and so they stay.
      started: false,
      stopOnDestroy: true,
      purgeOnDestroy: true,
      deleteUnreferencedDisksOnDestroy: false,
      bios: vm.bios,
      machine: vm.machine,
      scsiHardware: vm.scsiHardware,
      operatingSystem: vm.operatingSystem,
      cpu: vm.cpu,
      memory: vm.memory,
      efiDisk: vm.efiDisk,
      tpmState: vm.tpmState,
      disks: vm.disks,
      cdrom: vm.cdrom,
      bootOrders: vm.bootOrders,
      networkDevices: vm.networkDevices,
      serialDevices: vm.serialDevices,
      vga: vm.vga,
      agent: vm.agent,
      hostpcis: vm.hostpcis,
      initialization: vm.initialization,
    },
    snippets,
    // With another password in a URL it is the same image.
    image: image.checksum ?? withoutLogin(image.checksumUrl ?? image.url),
    makeTemplate,
  };
}

/** Hash of all that a template is made from. It stands in the template's mark; another hash means another template. */
export const templateContent = (template: PlacedTemplate, cluster: Cluster, names: TemplateNames = {}): string =>
  contentHash(contentForm(template, cluster, renderSnippets(template, names)));

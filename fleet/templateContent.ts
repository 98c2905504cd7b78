import type { Cluster } from "../config/cluster.ts";
import { withoutLogin } from "../config/credentials.ts";
import type { PlacedTemplate } from "../config/fleet.ts";
import { publicKeys } from "../config/rules/keys.ts";
import { usesSnippets } from "../config/rules/snippets.ts";
import { wholeText } from "../config/rules/wholeTexts.ts";
import { renderNetworkConfig } from "./cloudInit/networkConfig.ts";
import { hashPassword } from "./cloudInit/password.ts";
import { renderUserData } from "./cloudInit/userData.ts";
import { renderCloneVendorData, renderVendorData } from "./cloudInit/vendorData.ts";
import { contentHash } from "./contentHash.ts";
import { firstPath, type TemplateNames } from "./templateNames.ts";
import { vmArgs } from "./vmArgs.ts";

/** The cloud-init snippets of a template. */
export interface Snippets {
  /** Missing with user-data that is not cloud-init's. */
  vendor?: string;
  user: string;
  meta?: string;
  network?: string;
}

/** The snippets that a template has, in the order in which they go to the datastore. */
export const snippetKinds = ({ cloudInit }: PlacedTemplate): (keyof Snippets)[] => [
  ...(cloudInit.raw ? [] : (["vendor"] as const)),
  "user",
  ...(cloudInit.meta ? (["meta"] as const) : []),
  ...(cloudInit.network ? (["network"] as const) : []),
];

/** The user of a template's clones: the password is hashed. */
export function accountOf(template: PlacedTemplate, names: TemplateNames = {}) {
  const { path, cloudInit } = template;
  const { user, password } = cloudInit;
  return {
    ...(user !== undefined && { username: user }),
    ...(password !== undefined && { passwordHash: hashPassword(password, firstPath(template, names)) }),
    publicKeys: publicKeys(cloudInit, `${path}.cloudInit`).keys,
  };
}

/** The texts of a template's snippets: the user with its keys is in the user-data. */
export function renderSnippets(template: PlacedTemplate, names: TemplateNames = {}): Snippets {
  const { cloudInit, agent } = template;
  const { raw, meta } = cloudInit;
  return {
    ...(raw === undefined && { vendor: renderVendorData(cloudInit, { agent }) }),
    user: raw ? wholeText(raw) : renderUserData(cloudInit, accountOf(template, names)),
    ...(meta && { meta: wholeText(meta) }),
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
function contentForm(template: PlacedTemplate, cluster: Cluster, names: TemplateNames) {
  const { image, makeTemplate } = template;
  const snippets = usesSnippets(template) ? renderSnippets(template, names) : undefined;
  // Without snippets, the user is in the VM's own fields.
  const cloudInit = snippets ? { userDataFileId: "", vendorDataFileId: "" } : accountOf(template, names);
  const vm = vmArgs(template.name, template, cluster, { imageVolumeId: "", cloudInit, notes: "", tags: [] });
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
  contentHash(contentForm(template, cluster, names));

import { VmLegacy } from "@muhlba91/pulumi-proxmoxve/vmLegacy.js";
import * as pulumi from "@pulumi/pulumi";
import { diskNames } from "../config/diskNames.ts";
import type { PlacedTemplate } from "../config/fleet.ts";
import { usesSnippets } from "../config/rules/snippets.ts";
import { parseChecksum } from "../config/template.ts";
import { contentHash } from "../fleet/contentHash.ts";
import { accountOf, templateContent } from "../fleet/templateContent.ts";
import { TEMPLATE_TYPE } from "../fleet/urns.ts";
import { vmArgs } from "../fleet/vmArgs.ts";
import { TemplateConversion } from "../providers/conversion/resource.ts";
import { Image } from "../providers/image/resource.ts";
import { VmGuard } from "../providers/templateVm/resource.ts";
import type { Connection } from "../proxmox/client.ts";
import { type FleetContext, ownership } from "./fleet.ts";
import { type Plan, planOf } from "./plan.ts";
import { anySecret, hide } from "./secrets.ts";
import { type PartOf, partsOf } from "./templateParts.ts";
import { templateSnippets } from "./templateSnippets.ts";
import { vmHooks } from "./vmHooks.ts";

export interface VmTemplateArgs {
  fleet: FleetContext;
  /** The template as the config has it. */
  template: PlacedTemplate;
  /** How to look at the VMID before anything is created on it. */
  connection: Connection;
  /** The run leaves the template as it is: what it was made from, as its mark says. Its clones are made from that. */
  stays?: { content: string | undefined };
}

/** What is known of the template's image. */
export interface ImageInfo {
  volumeId: string;
  file: string;
  format: string;
  sizeBytes: number;
  virtualSizeBytes?: number | undefined;
  checksum: string;
  origin: string;
}

function templateImage(template: PlacedTemplate, { cluster, secrets }: FleetContext, part: PartOf): Image {
  const places = [`${template.path}.image.url`, `${template.path}.image.checksumUrl`];
  const { url, checksum, checksumUrl, fileName, format, keepImage } = template.image;
  const parsed = checksum === undefined ? undefined : parseChecksum(checksum);
  const { name, opts, urn } = part("image");
  return new Image(
    name,
    {
      statusUrn: urn("Image"),
      node: template.node,
      datastore: cluster.datastores.images,
      url: hide(secrets, places, url),
      ...(parsed && { checksum: `${parsed.algorithm}:${parsed.value}` }),
      ...(checksumUrl && { checksumUrl: hide(secrets, places, checksumUrl) }),
      ...(fileName && { fileName }),
      ...(format && { format }),
      diskBytes: template.disk.sizeGiB * 2 ** 30,
      keepImage,
      ...(anySecret(secrets, places) && { hidden: true }),
    },
    opts,
  );
}

/** What stands in PVE's own fields of a template without snippets. */
function templateAccount(template: PlacedTemplate, { secrets, templateNames }: FleetContext) {
  const at = (...keys: string[]) => keys.map((key) => `${template.path}.cloudInit.${key}`);
  const { username, publicKeys } = accountOf(template);
  return {
    ...(username !== undefined && { username: hide(secrets, at("user"), username) }),
    ...(template.cloudInit.password !== undefined && {
      passwordHash: pulumi.secret(templateNames.apply((names) => accountOf(template, names).passwordHash ?? "")),
    }),
    publicKeys: hide(secrets, at("sshPublicKeys", "sshPublicKeyFile"), publicKeys),
  };
}

/**
 * A golden template: image in the datastore's cache, snippets, VM, conversion.
 *
 * Its children are `<VMID>-` with `image`, `snippets`, `vendor`, `user`, `network`, `clones`, `guard`, `vm` and `conversion`: the
 * VMID is what PVE knows a VM by, so a template keeps its VM when it gets another key. A template of another VMID is made beside
 * the old one, which is deleted at the end of the run, when its clones have moved.
 */
export class VmTemplate extends pulumi.ComponentResource {
  /** VMID; known once the VM is what it is to be. */
  readonly vmId: pulumi.Output<number>;
  readonly nodeName: pulumi.Output<string>;
  readonly name: pulumi.Output<string>;
  readonly image: pulumi.Output<ImageInfo>;
  /** Volume ids of the snippets. */
  readonly snippetIds: pulumi.Output<string[]>;
  readonly isTemplate: pulumi.Output<boolean>;
  /** PVE's `cicustom` of it; undefined: it has no snippets. */
  readonly cicustom: pulumi.Output<string> | undefined;
  /** PVE's `cicustom` of clones that are made of it; undefined: they keep the template's. */
  readonly cloneCicustom: pulumi.Output<string> | undefined;
  /** Hash of all that the template is made from. */
  readonly contentHash: pulumi.Output<string>;
  /** The run leaves the template as it is, whatever its config says. */
  readonly stays: boolean;
  /** What the engine is going to do with it; told at preview. */
  readonly plan: () => Promise<Plan>;

  constructor(key: string, args: VmTemplateArgs, opts?: pulumi.ComponentResourceOptions) {
    super(TEMPLATE_TYPE, key, {}, opts);
    const { fleet, template, connection, stays } = args;
    const { cluster, fleetId, secrets, templateNames } = fleet;
    const { vmId, node, path } = template;
    const part = partsOf(key, vmId, templateNames, this);

    const image = templateImage(template, fleet, part);
    const snippets = templateSnippets(key, template, fleet, part, stays !== undefined);

    const content = templateNames.apply((names) => templateContent(template, cluster, names));
    const mark = ownership(fleet, {
      resource: `templates.${key}`,
      vmId,
      content,
      description: hide(secrets, [`${path}.description`], template.description),
      tags: template.tags,
    });
    const guardPart = part("guard");
    const guard = new VmGuard(
      guardPart.name,
      { statusUrn: guardPart.urn("VmGuard"), node, vmId, fleetId },
      // The snippets go when no VM names them any more.
      { ...guardPart.opts, dependsOn: snippets.resources },
    );
    const account = usesSnippets(template) ? undefined : templateAccount(template, fleet);
    const [vendorId, metaId, networkId] = (["vendor", "meta", "network"] as const).map((kind) =>
      snippets.ids.get(kind),
    );
    const disks = diskNames(template);
    const [bootDisk = "scsi0"] = disks;
    const vmPart = part("vm");
    let vmPlan: Plan = "same";
    const vm = new VmLegacy(
      vmPart.name,
      vmArgs(key, template, cluster, {
        imageVolumeId: image.volumeId,
        cloudInit: account ?? {
          userDataFileId: snippets.ids.get("user") ?? "",
          ...(vendorId && { vendorDataFileId: vendorId }),
          ...(metaId && { metaDataFileId: metaId }),
          ...(networkId && { networkDataFileId: networkId }),
        },
        ...mark,
      }),
      {
        ...vmPart.opts,
        // Another content is another template, where a plain VM is changed as it is.
        ...(template.makeTemplate && { replacementTrigger: content }),
        // PVE does not show a password, so the plugin would not see another one.
        ...(!template.makeTemplate &&
          account?.passwordHash && { replacementTrigger: account.passwordHash.apply(contentHash) }),
        // PVE has one VM for a VMID, so the old one goes first.
        deleteBeforeReplace: true,
        // The plugin deletes what has the VMID, whoever made it. The conversion, which goes first, deletes what is ours.
        retainOnDelete: true,
        dependsOn: [guard, ...snippets.resources],
        // The plugin sees a difference in the disks' speed limits for ever; the conversion sets `template`.
        ignoreChanges: [...disks.map((_, index) => `disks[${index}].speed`), "template"],
        hooks: vmHooks(key, { node, vmId, becomesTemplate: template.makeTemplate }, connection, (plan) => {
          vmPlan = plan;
        }),
      },
    );

    this.stays = stays !== undefined;
    this.name = vm.name;
    this.nodeName = vm.nodeName;
    this.contentHash = content.apply((hash) => stays?.content ?? hash);
    this.cicustom = snippets.cicustom;
    this.cloneCicustom = snippets.cloneCicustom;
    this.snippetIds = pulumi.all([...snippets.ids.values()]);
    this.image = pulumi
      .all([
        image.volumeId,
        image.storedName,
        image.resolvedFormat,
        image.sizeBytes,
        image.virtualSizeBytes,
        image.resolvedChecksum,
        image.origin,
      ])
      .apply(([volumeId, file, imageFormat, sizeBytes, virtualSizeBytes, imageChecksum, origin]) => ({
        volumeId,
        file,
        format: imageFormat,
        sizeBytes,
        virtualSizeBytes,
        checksum: imageChecksum,
        origin,
      }));
    const conversionPart = part("conversion");
    const finished = new TemplateConversion(
      conversionPart.name,
      {
        statusUrn: conversionPart.urn("TemplateConversion"),
        node,
        vmId: vm.vmId,
        fleetId,
        bootDisk,
        diskGiB: template.disk.sizeGiB,
        makeTemplate: template.makeTemplate,
        shutdownSeconds: 60,
      },
      conversionPart.opts,
    );
    this.vmId = finished.vmId;
    this.isTemplate = finished.isTemplate;
    this.plan = async () => {
      const others = await Promise.all([planOf(image, image.volumeId), planOf(finished, finished.isTemplate)]);
      return vmPlan === "same" && others.some((plan) => plan !== "same") ? "update" : vmPlan;
    };
    this.registerOutputs({
      vmId: this.vmId,
      nodeName: this.nodeName,
      name: this.name,
      image: this.image,
      snippetIds: this.snippetIds,
      isTemplate: this.isTemplate,
      contentHash: this.contentHash,
    });
  }
}

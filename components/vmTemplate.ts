import * as proxmox from "@muhlba91/pulumi-proxmoxve";
import * as pulumi from "@pulumi/pulumi";
import type { PlacedTemplate } from "../config/fleet.ts";
import { parseChecksum } from "../config/template.ts";
import { snippetSources } from "../fleet/cloudInit/sources.ts";
import { contentHash } from "../fleet/contentHash.ts";
import { renderSnippets, templateContent } from "../fleet/templateContent.ts";
import { diskNames, vmArgs } from "../fleet/vmArgs.ts";
import { TemplateConversion } from "../providers/conversion/resource.ts";
import { Image } from "../providers/image/resource.ts";
import { SnippetFiles } from "../providers/snippets/resource.ts";
import type { Connection } from "../proxmox/client.ts";
import { type FleetContext, ownership } from "./fleet.ts";
import { anySecret, hide } from "./secrets.ts";
import { statusUrn } from "./statusUrn.ts";
import { snippetHooks, vmHooks } from "./vmHooks.ts";

const TYPE = "golden-fleet:index:VmTemplate";

export interface VmTemplateArgs {
  fleet: FleetContext;
  /** The template as the config has it. */
  template: PlacedTemplate;
  /** How to look at the VMID before anything is created on it. */
  connection: Connection;
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

/**
 * A golden template: image in the datastore's cache, snippets, VM, conversion.
 *
 * Its children are `<name>-image`, and `<name>-<vmId>-` with `user`, `vendor`, `network`, `snippets`, `vm` and
 * `conversion`. They have the VMID in their names so that a template of another VMID is made beside the old one, which is
 * deleted at the end of the run, when its clones have moved; as a replacement it would be deleted first.
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
  /** Hash of all that the template is made from. */
  readonly contentHash: pulumi.Output<string>;

  constructor(key: string, args: VmTemplateArgs, opts?: pulumi.ComponentResourceOptions) {
    super(TYPE, key, {}, opts);
    const { fleet, template, connection } = args;
    const { cluster, secrets } = fleet;
    const { vmId, node, path } = template;
    const own = `${key}-${vmId}`;
    const child = { parent: this };

    const { url, checksum, checksumUrl, fileName, format, keepImage } = template.image;
    const parsed = checksum === undefined ? undefined : parseChecksum(checksum);
    const image = new Image(
      `${key}-image`,
      {
        statusUrn: statusUrn("Image", `${key}-image`, TYPE),
        node,
        datastore: cluster.datastores.images,
        url: hide(secrets, [`${path}.image.url`], url),
        ...(parsed && { checksum: `${parsed.algorithm}:${parsed.value}` }),
        ...(checksumUrl && { checksumUrl: hide(secrets, [`${path}.image.checksumUrl`], checksumUrl) }),
        ...(fileName && { fileName }),
        ...(format && { format }),
        diskBytes: template.disk.sizeGiB * 2 ** 30,
        keepImage,
        ...(anySecret(secrets, [`${path}.image.url`, `${path}.image.checksumUrl`]) && { hidden: true }),
      },
      child,
    );

    const prefix = `${own}-`;
    const texts = renderSnippets(template);
    const rendered = (["vendor", "user", "network"] as const).flatMap((kind) => {
      const text = texts[kind];
      return text === undefined ? [] : [{ kind, text, fileName: `${prefix}${kind}-${contentHash(text)}.yaml` }];
    });
    const snippetFiles = new SnippetFiles(
      `${own}-snippets`,
      { node, datastore: cluster.datastores.snippets, prefix, current: rendered.map((one) => one.fileName) },
      child,
    );
    const snippets = new Map<string, proxmox.FileLegacy>();
    for (const { kind, text, fileName: name } of rendered) {
      const file = new proxmox.FileLegacy(
        `${own}-${kind}`,
        {
          nodeName: node,
          datastoreId: cluster.datastores.snippets,
          contentType: "snippets",
          uploadMode: "sftp",
          sourceRaw: {
            fileName: name,
            data: hide(secrets, snippetSources(kind, path), text),
          },
        },
        {
          ...child,
          ...(anySecret(secrets, snippetSources(kind, path)) && { additionalSecretOutputs: ["sourceRaw"] }),
          // Clones may still name the file: SnippetFiles removes it when none does.
          retainOnDelete: true,
          // One after the other.
          dependsOn: [snippetFiles, ...snippets.values()],
          hooks: snippetHooks(`${own}-${kind}`, { node, datastore: cluster.datastores.snippets }),
        },
      );
      snippets.set(kind, file);
    }
    const snippetId = (kind: string) => snippets.get(kind)?.id;

    const content = templateContent(template, cluster);
    const mark = ownership(fleet, {
      resource: `templates.${key}`,
      vmId,
      content,
      description: hide(secrets, [`${path}.description`], template.description),
      tags: template.tags,
    });
    const networkId = snippetId("network");
    const disks = diskNames(template);
    const [bootDisk = "scsi0"] = disks;
    const vm = new proxmox.VmLegacy(
      `${own}-vm`,
      vmArgs(key, template, cluster, {
        imageVolumeId: image.volumeId,
        userDataFileId: snippetId("user") ?? "",
        vendorDataFileId: snippetId("vendor") ?? "",
        ...(networkId && { networkDataFileId: networkId }),
        ...mark,
      }),
      {
        ...child,
        // Another content is another template, where a plain VM is changed as it is.
        ...(template.makeTemplate && { replacementTrigger: content }),
        // PVE has one VM for a VMID, so the old one goes first.
        deleteBeforeReplace: true,
        dependsOn: snippetFiles,
        // The plugin sees a difference in the disks' speed limits for ever; the conversion sets `template`.
        ignoreChanges: [...disks.map((_, index) => `disks[${index}].speed`), "template"],
        hooks: vmHooks(key, { node, vmId, becomesTemplate: template.makeTemplate }, connection),
      },
    );

    this.name = vm.name;
    this.nodeName = vm.nodeName;
    this.contentHash = pulumi.output(content);
    this.snippetIds = pulumi.output([...snippets.values()].map(({ id }) => id));
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
    const finished = new TemplateConversion(
      `${own}-conversion`,
      {
        statusUrn: statusUrn("TemplateConversion", `${own}-conversion`, TYPE),
        node,
        vmId: vm.vmId,
        fleetId: fleet.fleetId,
        bootDisk,
        diskGiB: template.disk.sizeGiB,
        makeTemplate: template.makeTemplate,
        shutdownSeconds: 60,
      },
      { ...child, replaceWith: [vm] },
    );
    this.vmId = finished.vmId;
    this.isTemplate = finished.isTemplate;
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

import { diskNames } from "../../../../config/diskNames.ts";
import type { PlacedTemplate } from "../../../../config/fleet.ts";
import { parseChecksum } from "../../../../config/template.ts";
import { ownerOf } from "../../../../fleet/ownership.ts";
import { sizeOf } from "../../../../proxmox/disks.ts";
import { cachedName } from "../../../image/fileName.ts";
import type { Facts } from "../../facts.ts";
import { type Check, each, type Finding, fail, orPass } from "../../finding.ts";
import { type KeyedTemplate, templatesOf } from "../../needs.ts";

const GIB = 2 ** 30;

/** The image's disk is not larger than the boot disk that is to be made from it. Known once the image is in the cache. */
async function imageFits(facts: Facts, { node, path, template }: KeyedTemplate<PlacedTemplate>): Promise<Finding[]> {
  const { image, disk } = template;
  // Which file a list of checksums names, only the mirror knows.
  if (image.checksumUrl) return [];
  const checksum = image.checksum === undefined ? undefined : parseChecksum(image.checksum)?.value;
  const name = cachedName({ url: image.url, fileName: image.fileName, format: image.format, checksum });
  const size = await facts.imageDiskSize(node, facts.fleet.cluster.datastores.images, name);
  if (size === undefined || size <= disk.sizeGiB * GIB) return [];
  const enough = Math.ceil(size / GIB);
  return [
    fail(
      `found ${disk.sizeGiB}, but the disk of the image has ${(size / GIB).toFixed(1)} GiB; expected ${enough} or more`,
      {
        path: `${path}.disk.sizeGiB`,
      },
    ),
  ];
}

/** The disks of a plain VM that exists are not larger than the config says. A template is made anew instead. */
async function vmFits(facts: Facts, { path, template }: KeyedTemplate<PlacedTemplate>): Promise<Finding[]> {
  const { vmId, disk, extraDisks, makeTemplate } = template;
  if (makeTemplate) return [];
  const guest = (await facts.guests()).find(({ vmid, type }) => vmid === vmId && type === "qemu");
  const config = guest && (await facts.guestConfig(guest));
  if (typeof config !== "object" || ownerOf(config.description, vmId, facts.fleetId) !== "ours") return [];
  const names = diskNames(template);
  return [disk, ...extraDisks].flatMap(({ sizeGiB }, index): Finding[] => {
    const drive = names[index] ?? "";
    const size = sizeOf(config[drive]);
    if (size === undefined || size <= sizeGiB * GIB) return [];
    const place = index === 0 ? "disk" : `extraDisks[${index - 1}]`;
    const has = `${drive} of VM ${vmId} has ${size / GIB} GiB, and a disk cannot shrink`;
    return [fail(`found ${sizeGiB}, but ${has}; expected that or more`, { path: `${path}.${place}.sizeGiB` })];
  });
}

/** No disk would have to shrink: PVE does not do that. */
export const diskSize: Check = {
  id: "disk-size",
  group: "resources",
  async run(facts) {
    const templates = templatesOf(facts.fleet);
    if (templates.length === 0) return [];
    const problems = await each(templates, async (one) => [
      ...(await imageFits(facts, one)),
      ...(await vmFits(facts, one)),
    ]);
    return orPass(problems, "no disk would have to shrink");
  },
};

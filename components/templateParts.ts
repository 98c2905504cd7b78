import type * as pulumi from "@pulumi/pulumi";
import { firstKey, type TemplateNames } from "../fleet/templateNames.ts";
import { TEMPLATE_TYPE, templatePart } from "../fleet/urns.ts";
import { statusUrn } from "./statusUrn.ts";

/** Name and options of one of the resources that a template consists of. */
export interface Part {
  name: string;
  opts: { parent: pulumi.Resource; aliases: pulumi.Alias[] };
  /** Its URN, if it is one of ours of this type. */
  urn(type: string): string;
}

export type PartOf = (part: string) => Part;

/** The name of a template's resource in states of earlier versions. */
const oldName = (key: string, vmId: number, part: string): string =>
  part === "image" ? `${key}-image` : `${key}-${vmId}-${part}`;

/** The resources of a template. In states of earlier versions, the key that it had then stands in their names. */
export const partsOf =
  (key: string, vmId: number, names: pulumi.Output<TemplateNames>, parent: pulumi.Resource): PartOf =>
  (part) => {
    const name = templatePart(vmId, part);
    return {
      name,
      opts: { parent, aliases: [{ name: names.apply((all) => oldName(firstKey(key, vmId, all), vmId, part)) }] },
      urn: (type) => statusUrn(type, name, TEMPLATE_TYPE),
    };
  };

import type * as pulumi from "@pulumi/pulumi";
import { TEMPLATE_TYPE, templatePart } from "../fleet/urns.ts";
import { statusUrn } from "./statusUrn.ts";

/** Name and options of one of the resources that a template consists of. */
export interface Part {
  name: string;
  opts: { parent: pulumi.Resource; aliases: pulumi.Alias[] };
  /** Its URN, if it is one of ours of this type. */
  urn(type: string): string;
}

export type PartOf = (part: string, oldName?: string) => Part;

/** The resources of a template. In states of earlier versions, its key stands in their names. */
export const partsOf =
  (key: string, vmId: number, parent: pulumi.Resource): PartOf =>
  (part, oldName = `${key}-${vmId}-${part}`) => {
    const name = templatePart(vmId, part);
    return {
      name,
      opts: { parent, aliases: [{ name: oldName }] },
      urn: (type) => statusUrn(type, name, TEMPLATE_TYPE),
    };
  };

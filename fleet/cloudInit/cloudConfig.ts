import type { Json, JsonMap } from "./json.ts";
import { merge } from "./merge.ts";
import { toYaml } from "./yaml.ts";

/** A map without the keys that are undefined. */
export const defined = (map: { [key: string]: Json | undefined }): JsonMap =>
  Object.fromEntries(Object.entries(map).filter((entry): entry is [string, Json] => entry[1] !== undefined));

/** A list, or undefined if there is nothing in it: cloud-config leaves such keys out. */
export const some = <T>(list: readonly T[]): T[] | undefined => (list.length > 0 ? [...list] : undefined);

/** The text of a cloud-config file: what the fields say, and over it what the user wrote. */
export const cloudConfig = (fields: JsonMap, further: JsonMap): string =>
  `#cloud-config\n${toYaml(merge(fields, further))}`;

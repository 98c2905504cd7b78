import { z } from "zod";

/** The schema below optional, default, prefault, nullable and pipe wrappers. */
function unwrap(schema: z.core.$ZodType): z.core.$ZodType {
  if (
    schema instanceof z.ZodOptional ||
    schema instanceof z.ZodDefault ||
    schema instanceof z.ZodPrefault ||
    schema instanceof z.ZodNullable
  ) {
    return unwrap(schema.unwrap());
  }
  return schema instanceof z.ZodPipe ? unwrap(schema.in) : schema;
}

/** The keys that `schema` knows at `path`; empty where anything may stand. */
export function keysAt(schema: z.core.$ZodType, path: readonly PropertyKey[]): readonly string[] {
  const here = unwrap(schema);
  const [first, ...rest] = path;
  if (here instanceof z.ZodObject) {
    if (first === undefined) return Object.keys(here.shape);
    const next = here.shape[String(first)];
    return next ? keysAt(next, rest) : [];
  }
  if (first !== undefined && here instanceof z.ZodArray) return keysAt(here.element, rest);
  if (first !== undefined && here instanceof z.ZodRecord) return keysAt(here.valueType, rest);
  return [];
}

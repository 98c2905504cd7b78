import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { cloneSetSchema } from "../config/cloneSet.ts";
import { clusterSchema } from "../config/cluster.ts";
import { existingSchema } from "../config/existing.ts";
import { templateSchema } from "../config/template.ts";
import { list } from "../config/text.ts";

/**
 * The reference of the stack config, made from the schemas: `node docs/configuration.ts` writes it into
 * configuration.md, below the line that says so. What stands above that line is written by hand.
 */

type Schema = z.core.$ZodType;

export const FILE = join(import.meta.dirname, "configuration.md");

export const MARKER = "<!-- Made by `node docs/configuration.ts` from the schemas in config/; do not edit below. -->";

export interface Row {
  /** Path below the section, `[]` for the items of a list. */
  path: string;
  type: string;
  default: string;
  meaning: string;
}

const isWrapper = (schema: Schema) =>
  schema instanceof z.ZodOptional || schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault;

/** The schema without what makes it optional or changes its value, outermost first. */
function layers(schema: Schema): Schema[] {
  if (isWrapper(schema)) return [schema, ...layers((schema as z.ZodOptional).unwrap())];
  if (schema instanceof z.ZodPipe) return [schema, ...layers(schema.in)];
  return [schema];
}

const core = (schema: Schema): Schema => layers(schema).at(-1) ?? schema;

const description = (schema: Schema): string =>
  layers(schema)
    .map((layer) => z.globalRegistry.get(layer)?.description)
    .find((text) => text !== undefined) ?? "";

const code = (value: unknown) => `\`${typeof value === "string" ? value : JSON.stringify(value)}\``;

/** The kind of value, in words. */
function typeOf(schema: Schema, plural = false): string {
  const here = core(schema);
  const s = plural ? "s" : "";
  if (here instanceof z.ZodEnum) return list(Object.values(here.enum).map(code), "or");
  if (here instanceof z.ZodLiteral) return list([...here.values].map(code), "or");
  if (here instanceof z.ZodBoolean) return "`true` or `false`";
  if (here instanceof z.ZodNumber)
    return `${here.format === "safeint" ? "whole number" : "number"}${s}${plural ? "" : range(here)}`;
  if (here instanceof z.ZodArray) return `list${s} of ${typeOf(here.element, true)}`;
  if (here instanceof z.ZodUnion)
    return list(
      here.options.map((option) => typeOf(option, plural)),
      "or",
    );
  if (here instanceof z.ZodObject || here instanceof z.ZodRecord) return `map${s}`;
  return `text${s}`;
}

function range({ minValue, maxValue }: z.ZodNumber): string {
  const most = maxValue === Number.MAX_SAFE_INTEGER ? undefined : maxValue;
  if (most !== undefined) return `, ${minValue} to ${most}`;
  return minValue === Number.MIN_SAFE_INTEGER ? "" : `, at least ${minValue}`;
}

const NONE = "–";

/** What holds without the key; the meaning may say it in words after "; default: ". */
function defaultOf(schema: Schema, inWords: string | undefined): string {
  if (inWords) return inWords;
  for (const layer of layers(schema)) {
    if (layer instanceof z.ZodDefault) {
      const value = layer.def.defaultValue;
      return value === "" || (typeof value === "object" && JSON.stringify(value).length === 2) ? NONE : code(value);
    }
    if (layer instanceof z.ZodPrefault) return core(schema) instanceof z.ZodObject ? "" : code(layer.def.defaultValue);
    if (layer instanceof z.ZodOptional) return NONE;
  }
  return "**required**";
}

const DEFAULT = /^(.*?); default: (.*?)( \(PVE: [^)]*\))?$/s;

function rowOf(path: string, schema: Schema): Row {
  const text = description(schema);
  const [, meaning = text, inWords, option = ""] = DEFAULT.exec(text) ?? [];
  return { path, type: typeOf(schema), default: defaultOf(schema, inWords), meaning: meaning + option };
}

/** A row for every key of a map, and for what is in it. */
export function rowsOf(schema: Schema, at = ""): Row[] {
  const here = core(schema);
  if (here instanceof z.ZodArray) return rowsOf(here.element, `${at}[]`);
  if (here instanceof z.ZodRecord) return rowsOf(here.valueType, `${at}.<name>`);
  if (!(here instanceof z.ZodObject)) return [];
  return Object.entries(here.shape).flatMap(([key, value]) => {
    const path = at === "" ? key : `${at}.${key}`;
    return [rowOf(path, value), ...rowsOf(value, path)];
  });
}

const table = (rows: readonly Row[]) =>
  [
    "| Key | Type | Default | Meaning |",
    "| --- | --- | --- | --- |",
    ...rows.map((row) => `| \`${row.path}\` | ${row.type} | ${row.default} | ${row.meaning} |`),
  ].join("\n");

/** Each section of the stack config with its rows. */
export function sections(): { title: string; intro: string; rows: Row[] }[] {
  const [listed, counted] = cloneSetSchema.options.map((option) => rowsOf(option));
  const own = (rows: Row[] = [], others: Row[] = []) =>
    rows.filter(({ path }) => !others.some((other) => other.path === path));
  return [
    {
      title: "cluster",
      intro: "Where the cluster is, how it is reached, and where things go.",
      rows: rowsOf(clusterSchema),
    },
    {
      title: "templates.<key>",
      intro: "A golden template. The key is a short name; resources and clone sets use it.",
      rows: rowsOf(templateSchema),
    },
    {
      title: "templates.<key>, made elsewhere",
      intro: "Instead of all that: a template that this stack did not make, and only clones.",
      rows: rowsOf(existingSchema),
    },
    { title: "cloneSets.<key>", intro: "Clones of one template.", rows: own(listed, own(listed, counted)) },
    { title: "cloneSets.<key>, listed", intro: "The clones one by one …", rows: own(listed, counted) },
    { title: "cloneSets.<key>, counted", intro: "… or as many as `count` says.", rows: own(counted, listed) },
  ];
}

/** The generated part of configuration.md. */
export const reference = (): string =>
  `${MARKER}\n\n${sections()
    .map(({ title, intro, rows }) => `## ${title.replaceAll("<", "\\<")}\n\n${intro}\n\n${table(rows)}\n`)
    .join("\n")}`;

/** configuration.md with the generated part as it should be. */
export const upToDate = (text: string): string => text.slice(0, text.indexOf(MARKER)) + reference();

if (import.meta.main) writeFileSync(FILE, upToDate(readFileSync(FILE, "utf8")));

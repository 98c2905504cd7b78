import { Document, isScalar, type Tags, visit } from "yaml";
import type { Json } from "./json.ts";

// cloud-init reads YAML 1.1 with PyYAML, which knows more line breaks than JSON and refuses unprintable characters.
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const UNPRINTABLE = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028\u2029\ufeff\ufffe\uffff]/g;

/** Texts that PyYAML, but not every reader, takes for something else when they stand without quotes. */
const needsQuotes = (text: string) =>
  text === "=" || text === "<<" || text.search(UNPRINTABLE) >= 0 || (text.includes("\t") && !text.includes("\n"));

/** The tag by which `yaml` would write "<<" as the merge key even in quotes. */
const withoutMerge = (tags: Tags): Tags =>
  tags.filter((tag) => (typeof tag === "string" ? tag !== "merge" : tag.tag !== "tag:yaml.org,2002:merge"));

const escaped = (character: string) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;

/** YAML that every YAML 1.1 and 1.2 reader takes for the same value; long lines stay whole. */
export function toYaml(value: Json): string {
  const document = new Document(value, { version: "1.1", customTags: withoutMerge, aliasDuplicateObjects: false });
  visit(document, (_, node) => {
    if (isScalar(node) && typeof node.value === "string" && needsQuotes(node.value)) node.type = "QUOTE_DOUBLE";
  });
  // Such a character is now in double quotes, where the escape means the same.
  return document.toString({ lineWidth: 0, directives: false }).replace(UNPRINTABLE, escaped);
}

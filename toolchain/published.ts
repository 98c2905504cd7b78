import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** What a generated Pulumi SDK asks of its plugin. */
export interface Published {
  /** Type token of every resource, with the names of its inputs. */
  resources: Map<string, string[]>;
  /** Token of every function. */
  functions: Set<string>;
}

/** Reads what the JavaScript of an npm package registers: the plugin has to know all of it. */
export function publishedBy(packageFolder: string): Published {
  const published: Published = { resources: new Map(), functions: new Set() };
  for (const file of readdirSync(packageFolder, { recursive: true, encoding: "utf8" })) {
    if (!file.endsWith(".js")) continue;
    const source = readFileSync(join(packageFolder, file), "utf8");
    const type = source.match(/static __pulumiType = ['"](\w+:[^'"]+)['"]/)?.[1];
    if (type !== undefined) published.resources.set(type, inputsIn(source));
    for (const [, token] of source.matchAll(/\binvoke(?:Output)?\(["'](\w+:[^"']+)["']/g)) {
      if (token !== undefined) published.functions.add(token);
    }
  }
  return published;
}

/** The generated constructor has one line for each input. */
function inputsIn(source: string): string[] {
  return [...source.matchAll(/resourceInputs\["(\w+)"\] = (?:pulumi\.output\()?args\?/g)].map(([, name]) => name ?? "");
}

/** The part of a package schema that is compared. */
export interface PackageSchema {
  resources: Record<string, { inputProperties?: Record<string, unknown> }>;
  functions: Record<string, unknown>;
}

/** Everything published that the schema lacks, in words. Empty: the plugin serves the package. */
export function missingFrom(schema: PackageSchema, published: Published): string[] {
  const resources = [...published.resources].flatMap(([token, inputs]) => {
    const resource = schema.resources[token];
    if (resource === undefined) return [`resource ${token}`];
    return inputs
      .filter((input) => resource.inputProperties?.[input] === undefined)
      .map((input) => `input ${input} of ${token}`);
  });
  const functions = [...published.functions].filter((token) => schema.functions[token] === undefined);
  return [...resources, ...functions.map((token) => `function ${token}`)];
}

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** A resource plugin that an installed npm package needs. */
export interface RequiredPlugin {
  name: string;
  version: string;
  server: string;
}

interface Manifest {
  name?: string;
  version?: string;
  dependencies?: Record<string, string>;
  devDependencies?: Record<string, string>;
  pulumi?: { resource?: boolean; name?: string; version?: string; server?: string };
}

/** The plugins of every installed package that says in its package.json that it has one. */
export function requiredPlugins(programDirectory: string): RequiredPlugin[] {
  const modules = nearest(programDirectory, "node_modules");
  if (modules === undefined) return [];
  return packageFolders(modules).flatMap((folder) => {
    const { pulumi, name, version } = manifestIn(folder);
    if (pulumi?.resource !== true) return [];
    return [
      {
        name: pulumi.name ?? (name ?? "").replace(/^@pulumi\//, ""),
        version: (pulumi.version ?? version ?? "").replace(/^v/, ""),
        server: pulumi.server ?? "",
      },
    ];
  });
}

/** The program's direct dependencies, each with its installed version. */
export function dependencies(programDirectory: string): { name: string; version: string }[] {
  const manifest = nearest(programDirectory, "package.json");
  const modules = nearest(programDirectory, "node_modules");
  if (manifest === undefined || modules === undefined) return [];
  const { dependencies: runtime, devDependencies: development } = manifestIn(dirname(manifest));
  return Object.keys({ ...runtime, ...development }).map((name) => ({
    name,
    version: manifestIn(join(modules, name)).version ?? "",
  }));
}

function nearest(directory: string, name: string): string | undefined {
  const candidate = join(directory, name);
  if (existsSync(candidate)) return candidate;
  const parent = dirname(directory);
  return parent === directory ? undefined : nearest(parent, name);
}

function packageFolders(modules: string): string[] {
  return readdirSync(modules).flatMap((name) => {
    const folder = join(modules, name);
    return name.startsWith("@") ? readdirSync(folder).map((scoped) => join(folder, scoped)) : [folder];
  });
}

function manifestIn(folder: string): Manifest {
  try {
    return JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as Manifest;
  } catch {
    return {}; // not a package: .bin, for example
  }
}

/** An archive of a release, and the list of checksums that was published with it. */
export interface Release {
  /** What it is, to the user. */
  title: string;
  /** The folder that has both. */
  url: string;
  archive: string;
  /** What `sha256sum` printed. */
  checksums: string;
  /** How many folders there are around what is in the archive. */
  strip: number;
}

/** Another place that has the releases, under GitHub's own paths: a mirror inside a closed network, say. */
export const releasesVariable = "GOLDEN_FLEET_RELEASES";

const base = (): string => (process.env[releasesVariable] || "https://github.com").replace(/\/+$/, "");

/** Pulumi's CLI with all its hosts. */
export const engineRelease = (version: string): Release => ({
  title: `Pulumi's CLI ${version}`,
  url: `${base()}/pulumi/pulumi/releases/download/v${version}`,
  archive: `pulumi-v${version}-${process.platform}-${process.arch}.tar.gz`,
  checksums: `pulumi-${version}-checksums.txt`,
  strip: 1,
});

export const pluginRelease = (version: string): Release => ({
  title: `the proxmoxve plugin ${version}`,
  url: `${base()}/muhlba91/pulumi-proxmoxve/releases/download/v${version}`,
  archive: `pulumi-resource-proxmoxve-v${version}-${process.platform}-${goArchitecture()}.tar.gz`,
  checksums: `pulumi-proxmoxve_${version}_checksums.txt`,
  strip: 0,
});

const goArchitecture = (): string => (process.arch === "x64" ? "amd64" : process.arch);

/** A contender's own programs are not here. */
export class NotInstalledError extends Error {
  override name = "NotInstalledError";

  constructor(what: string) {
    super(`${what} is not installed: run \`npm run bench:peers\` (it builds and installs into .toolchain, once)`);
  }
}

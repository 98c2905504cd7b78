import { dirname, join } from "node:path";

/** Where everything of this checkout is. */
export interface Paths {
  root: string;
  /** Sources of what is built. */
  sources: string;
  /** What is downloaded or built, and the engine's own state; git-ignored, and free to be removed at any time. */
  store: string;
  /** PULUMI_HOME: apart from the user's own. */
  home: string;
}

export function pathsOf(root: string): Paths {
  const store = join(root, ".toolchain");
  return { root, sources: join(root, "toolchain"), store, home: join(store, "home") };
}

export const checkout: Paths = pathsOf(dirname(import.meta.dirname));

/** Where things are put together; only for the holder of the build lock. */
export const workshop = (paths: Paths): string => join(paths.store, "unfinished");

import type { Handlers } from "./handlers.ts";

type Values = Record<string, unknown>;
type Versioned = Pick<Handlers<never, never>, "stateVersion" | "migrations">;

/**
 * A state as this version of the program knows it.
 *
 * @throws Error if a newer version has written it
 */
export function migrated({ stateVersion, migrations = {} }: Versioned, stored: Values): Values {
  const { stateVersion: found = 1, ...old } = stored;
  let state: object = old;
  for (let version = Number(found); version < stateVersion; version++) state = migrations[version]?.(state) ?? state;
  if (Number(found) > stateVersion) {
    throw new Error(
      `the state was written by a newer version of this program (state version ${found}; this one knows ${stateVersion}): update the checkout`,
    );
  }
  return state as Values;
}

/** A state as it is stored. */
export const stored = ({ stateVersion }: Versioned, state: object): Values => ({ stateVersion, ...state });

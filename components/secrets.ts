import * as pulumi from "@pulumi/pulumi";
import { holdsSecret, type SecretValue } from "../config/secrets.ts";

/** Whether there is a secret at one of the places of the config, or in what is there. */
export const anySecret = (secrets: readonly SecretValue[], places: readonly string[]): boolean =>
  places.some((place) => holdsSecret(secrets, place));

/** A value as a Pulumi secret, if there is a secret at one of the places of the config that it is made from. */
export const hide = <T>(secrets: readonly SecretValue[], places: readonly string[], value: T): T | pulumi.Output<T> =>
  anySecret(secrets, places) ? (pulumi.secret(value) as pulumi.Output<T>) : value;

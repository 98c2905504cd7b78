import { ApiError, ConnectionError } from "../../proxmox/errors.ts";

/** The error that is behind others. */
function rootOf(error: unknown): unknown {
  return error instanceof Error && error.cause instanceof Error && !(error instanceof ConnectionError)
    ? rootOf(error.cause)
    : error;
}

/**
 * Whether an error is the cluster's and not one VM's: its API does not answer any more, it takes the login no longer, or the
 * cluster has lost quorum. Then there is no point in trying the others.
 */
export function isOutage(error: unknown): boolean {
  const root = rootOf(error);
  if (root instanceof ConnectionError) return true;
  const text = root instanceof Error ? root.message : String(root);
  return (root instanceof ApiError && root.status === 401) || /no quorum/i.test(text);
}

/** What setup met that the user has to decide on or to mend. */
export type SetupErrorCode =
  /** The endpoint is no address. */
  | "endpoint"
  /** The certificate is another one than a moment ago. */
  | "certificate-changed"
  /** The certificate cannot be trusted under the endpoint's name, or at all. */
  | "certificate"
  /** Wrong user name, password or token. */
  | "login"
  /** The user has a second factor. */
  | "second-factor"
  /** The login may not do what is needed. */
  | "rights"
  /** Something of that name is there already, and it is not what is wanted. */
  | "exists"
  /** The cluster has changed between two steps. */
  | "changed"
  /** Nothing is free, or nothing fits. */
  | "none"
  /** PVE or an SSH server refused; the message has its words. */
  | "refused";

/** One error for the user: what was found, what would be right, and what to do. */
export class SetupError extends Error {
  override name = "SetupError";
  readonly code: SetupErrorCode;
  /** What the user can do, a sentence or a command each. */
  readonly todo: readonly string[];

  constructor(code: SetupErrorCode, message: string, todo: readonly string[] = [], options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.todo = todo;
  }
}

/** What was made on the cluster, so that whoever breaks off learns what stays. */
export class Journal {
  #made: readonly string[] = [];
  #unmade: readonly string[] = [];
  /** Nothing may be broken off: a file or a token would be lost. */
  isWriting = false;
  /** The stack is written. */
  isDone = false;

  made(...what: string[]): void {
    this.#made = [...this.#made, ...what];
  }

  /** What was deleted again, because it is of no use any more. */
  unmade(what: string): void {
    this.#made = this.#made.filter((one) => one !== what);
    this.#unmade = [...this.#unmade, what];
  }

  /** The error says itself what was made. */
  isTold = false;

  /** For the end of a run that was broken off. */
  get text(): string {
    if (this.isDone) return "The stack is written: run setup again to look at it.";
    if (this.isTold) return "No stack file was written.";
    if (this.#made.length + this.#unmade.length === 0) return "Nothing was written.";
    return [
      "No stack file was written.",
      ...(this.#made.length > 0 ? [`Made on the cluster, and left there: ${this.#made.join(", ")}.`] : []),
      ...(this.#unmade.length > 0 ? [`Deleted again, for its secret is lost: ${this.#unmade.join(", ")}.`] : []),
    ].join(" ");
  }
}

/** Answers that are asked for once, by key. One that failed is forgotten, so that the next who asks tries again. */
export class Cache<T> {
  readonly #answers = new Map<string, Promise<T>>();

  get(key: string, ask: () => Promise<T>): Promise<T> {
    const known = this.#answers.get(key);
    if (known) return known;
    const answer = ask();
    this.#answers.set(key, answer);
    answer.catch(() => this.forget(key, answer));
    return answer;
  }

  /** @param answer only if this one is (still) kept */
  forget(key: string, answer = this.#answers.get(key)): void {
    if (this.#answers.get(key) === answer) this.#answers.delete(key);
  }
}

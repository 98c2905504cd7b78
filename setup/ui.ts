import * as clack from "@clack/prompts";
import { list } from "../config/text.ts";
import { type OptionName, type Options, UsageError } from "./options.ts";

/** Ctrl-C or Escape at a question. */
export class Cancelled extends Error {
  override name = "Cancelled";
}

export interface Choice<T extends string = string> {
  value: T;
  label?: string;
  /** Shown beside the label. */
  hint?: string;
}

/** Undefined: fine. Else what would be right. */
type Check = (text: string) => string | undefined;

interface Question {
  option: OptionName;
  message: string;
}

/** Asks in a terminal; without one takes the option, or the best answer. */
export class Ui {
  readonly #options: Options;
  readonly interactive: boolean;
  readonly #out: NodeJS.WritableStream;

  /** @param out where everything goes that is not asked */
  constructor(options: Options, { interactive, out }: { interactive: boolean; out: NodeJS.WritableStream }) {
    this.#options = options;
    this.interactive = interactive;
    this.#out = out;
  }

  /** A step has begun. */
  step(text: string): void {
    if (this.interactive) clack.log.step(text);
    else this.#write(`* ${indented(text)}`);
  }

  say(text: string): void {
    if (this.interactive) clack.log.message(text);
    else this.#write(`  ${indented(text)}`);
  }

  warn(text: string): void {
    if (this.interactive) clack.log.warn(text);
    else this.#write(`! ${indented(text)}`);
  }

  /** Lines to copy: nothing before them. */
  lines(title: string, lines: readonly string[]): void {
    this.say(title);
    this.#write(`\n${lines.join("\n")}\n`);
  }

  #write(text: string): void {
    this.#out.write(`${text}\n`);
  }

  async text({ option, message, best, check }: Question & { best?: string; check?: Check }): Promise<string> {
    const given = this.#options.text(option);
    if (given !== undefined) return this.#checked(option, given, check);
    if (!this.interactive) {
      if (best === undefined) throw new UsageError(`--${option} is missing: ${message}`);
      return this.#checked(option, best, check);
    }
    return answer(
      await clack.text({
        message,
        ...(best !== undefined && { placeholder: best, defaultValue: best }),
        validate: (value) => {
          const text = (value ?? "").trim() || (best ?? "");
          return text === "" ? "An answer is needed." : check?.(text);
        },
      }),
    ).trim();
  }

  #checked(option: OptionName, given: string, check?: Check): string {
    const wrong = check?.(given);
    if (wrong !== undefined) throw new UsageError(`--${option}: found "${given}"; ${wrong}`);
    return given;
  }

  /** One of a list, the best first. With one choice nothing is asked. */
  async pick<T extends string>({
    option,
    message,
    choices,
    none,
  }: Question & { choices: readonly Choice<T>[]; none: string }): Promise<T> {
    const given = this.#options.text(option);
    const names = choices.map(({ value }) => value);
    if (given !== undefined) {
      const found = names.find((name) => name === given);
      if (found !== undefined) return found;
      throw new UsageError(
        `--${option}: found "${given}"; ${names.length > 0 ? `expected ${list(names, "or")}` : none}`,
      );
    }
    const [best, ...others] = choices;
    if (best === undefined) throw new UsageError(`--${option}: ${none}`);
    if (!this.interactive || others.length === 0) return best.value;
    return answer(
      await clack.select<string>({
        message,
        options: choices.map(({ value, label = value, hint }) => ({ value, label, ...(hint && { hint }) })),
        initialValue: best.value,
      }),
    ) as T;
  }

  /** Only where there is a terminal. */
  async confirm(message: string, best = true): Promise<boolean> {
    return answer(await clack.confirm({ message, initialValue: best }));
  }

  /** Only where there is a terminal. */
  async password(message: string): Promise<string> {
    return answer(await clack.password({ message, validate: (value) => (value ? undefined : "An answer is needed.") }));
  }
}

const indented = (text: string) => text.replaceAll("\n", "\n  ");

function answer<T>(value: T): Exclude<T, symbol> {
  if (typeof value === "symbol") throw new Cancelled();
  return value as Exclude<T, symbol>;
}

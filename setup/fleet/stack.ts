import { list } from "../../config/text.ts";
import { type Ask, PulumiError } from "./cli.ts";
import { UsageError } from "./options.ts";

/** The stack that a command is about. */
export interface ChosenStack {
  name: string;
  /** How it was found; `only`: Pulumi has to be told. */
  by: "option" | "selected" | "only";
}

interface Listed {
  name: string;
  current: boolean;
}

/** Chooses among the stacks that there are; a text says why none can be chosen. */
export function chooseStack(stacks: readonly Listed[]): ChosenStack | string {
  const selected = stacks.find(({ current }) => current);
  if (selected) return { name: selected.name, by: "selected" };
  const [only, ...others] = stacks;
  if (!only) return "there is no stack yet: npm run setup makes one (by hand: pulumi stack init)";
  if (others.length === 0) return { name: only.name, by: "only" };
  const names = stacks.map(({ name }) => name);
  return `there are the stacks ${list(names)}, and none is selected: add --stack ${names[0]}, or select one with npm run fleet -- stack select`;
}

/**
 * The stack that `--stack` names, else the selected one, else the only one.
 *
 * @param option value of `--stack`
 * @returns a text: why there is none
 * @throws PulumiError if Pulumi does not tell
 */
export async function findStack(ask: Ask, option: string | undefined): Promise<ChosenStack | string> {
  if (option !== undefined) return { name: option, by: "option" };
  try {
    return chooseStack(JSON.parse(await ask("stack", "ls", "--json")) as Listed[]);
  } catch (error) {
    if (!(error instanceof PulumiError && /\blogin\b/.test(error.message))) throw error;
    return "Pulumi has no backend to keep a stack in: npm run setup makes one in files of this checkout; for one of your own, npm run fleet -- login";
  }
}

/** @throws UsageError if there is none */
export function needed(stack: ChosenStack | string): ChosenStack {
  if (typeof stack === "string") throw new UsageError(stack);
  return stack;
}

/** The last word of `organization/project/stack`, which stands in the name of the stack's file. */
export const shortName = (stack: string): string => stack.split("/").at(-1) ?? stack;

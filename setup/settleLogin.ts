import type { Fleet } from "../config/fleet.ts";
import { path } from "../proxmox/client.ts";
import { explained, type LoggedIn, type LoginNames, lastLine } from "./askCluster.ts";
import { applyLogin, checkLogin, type LoginPlan, planLogin } from "./cluster/access.ts";
import { SetupError } from "./cluster/error.ts";
import type { Journal } from "./journal.ts";
import type { Options } from "./options.ts";
import type { Ui } from "./ui.ts";

/** The login that the stack gets: a token that is there and has all rights, or a plan for one. */
export type SettledLogin = { token: string } | { plan: LoginPlan };

/**
 * Settles the stack's login once its config is known. Changes nothing.
 *
 * @throws SetupError `rights` with the lines that grant what is missing, where nobody can be asked to run them
 */
export async function settleLogin(
  ui: Ui,
  options: Options,
  { session, way, token }: LoggedIn,
  { names, fleet }: { names: LoginNames; fleet: Fleet },
): Promise<SettledLogin> {
  if (token === undefined) return { plan: await planFor(ui, options, session.client, names, fleet) };
  // What lets setup look around hides what is missing until it is taken back.
  let looksAround = way === "lines";
  for (;;) {
    const found = await checkLogin(session.client, fleet);
    const missing = found.filter(({ optional }) => !optional);
    if (missing.length === 0 && !(looksAround && ui.interactive)) break;
    const places = missing.map(({ path }) => path);
    const text =
      places.length > 0
        ? `the token lacks rights that this config needs on ${places.join(", ")}`
        : "the token has the rights that this config needs";
    const lines = [...found.flatMap(({ todo }) => todo), ...(looksAround ? [lastLine(names.user)] : [])];
    if (!ui.interactive || options.has("print"))
      throw new SetupError("rights", `${text}. On a node, as root:`, [...lines, "Then run setup again."]);
    ui.lines(`${text}. On a node, as root:`, lines);
    if (!(await ui.confirm("Have you run these lines?")))
      throw new SetupError("rights", "the token lacks rights; run the lines above, and setup again");
    looksAround = false;
  }
  return { token };
}

async function planFor(
  ui: Ui,
  options: Options,
  client: LoggedIn["session"]["client"],
  names: LoginNames,
  fleet: Fleet,
): Promise<LoginPlan> {
  const plan = await planLogin(client, { ...names, fleet });
  if (plan.isPossible) return plan;
  const conflicts = plan.changes.filter(({ action }) => action === "conflict").map(({ text }) => text);
  const { otherToken, otherUser } = plan;
  if (!ui.interactive || options.has("print")) {
    const todo = [
      ...(otherUser ? [`Choose another user: --token-user ${otherUser}`] : []),
      ...(otherToken
        ? [`Choose another name: --token-name ${otherToken}`, "Or give the token that is there: --token-stdin"]
        : []),
    ];
    throw new SetupError("exists", conflicts.join("; "), todo);
  }
  ui.warn(conflicts.join("\n"));
  const other = {
    user: otherUser
      ? await ui.text({ option: "token-user", message: "Which other user is made?", best: otherUser })
      : names.user,
    token: otherToken
      ? await ui.text({ option: "token-name", message: "What is the new token called?", best: otherToken })
      : names.token,
  };
  return planFor(ui, options, client, other, fleet);
}

/** What would be made or changed on the cluster, a line each. A new role is told where it is given. */
export function plannedChanges(login: SettledLogin): string[] {
  if (!("plan" in login)) return [];
  return login.plan.changes.flatMap(({ action, what, text, privileges = [] }) => {
    if (action === "keep" || (what === "role" && action === "make")) return [];
    return [what === "acl" ? `${text}: ${privileges.join(", ")}` : text];
  });
}

/** Takes back a token that was made a moment ago and could not be stored: nobody can read it again. */
export async function takeBackToken(
  { session }: Pick<LoggedIn, "session">,
  login: SettledLogin,
  journal: Journal,
): Promise<void> {
  if (!("plan" in login)) return;
  const { user, tokenId } = login.plan;
  const name = tokenId.slice(user.length + 1);
  await session.client.delete(path`/access/users/${user}/token/${name}`).then(
    () => journal.unmade(`token ${tokenId}`),
    // The journal goes on naming it.
    () => undefined,
  );
}

/** The token, made if it was planned. */
export async function tokenOf(
  { session }: Pick<LoggedIn, "session">,
  login: SettledLogin,
  journal: Journal,
): Promise<string> {
  if ("token" in login) return login.token;
  try {
    const { tokenId, secret, made } = await applyLogin(session.client, login.plan);
    journal.made(...made);
    return `${tokenId}=${secret}`;
  } catch (error) {
    journal.isTold = error instanceof SetupError;
    if (error instanceof SetupError) throw new SetupError(error.code, explained(error), [], { cause: error });
    throw error;
  }
}

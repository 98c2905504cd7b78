import { parseTokenId } from "../config/formats.ts";
import { ConnectionError } from "../proxmox/errors.ts";
import type { Login } from "../proxmox/login.ts";
import { type EndpointCertificate, isFingerprint, lookAtEndpoint } from "./cluster/certificate.ts";
import { normaliseEndpoint } from "./cluster/endpoint.ts";
import { SetupError } from "./cluster/error.ts";
import { logIn, type Session } from "./cluster/session.ts";
import { type Options, UsageError } from "./options.ts";
import type { Ui } from "./ui.ts";

/** What is told to the user as it is: the message says what to do. */
export const isForUser = (error: unknown): error is SetupError | ConnectionError =>
  error instanceof SetupError || error instanceof ConnectionError;

/** The message, and what to do. */
export const explained = (error: SetupError | ConnectionError): string =>
  [error.message, ...(error instanceof SetupError ? error.todo : [])].join("\n");

/** Asks again after an answer that did not do; what an option says is final. */
async function untilItWorks<T>(ui: Ui, isFinal: boolean, ask: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (isFinal || !ui.interactive || !isForUser(error)) throw error;
      ui.warn(explained(error));
    }
  }
}

const wrongEndpoint = (text: string): string | undefined => {
  try {
    normaliseEndpoint(text);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
};

/** The cluster's endpoint, and the certificate that it serves. */
export function askEndpoint(ui: Ui, options: Options, env: NodeJS.ProcessEnv): Promise<EndpointCertificate> {
  return untilItWorks(ui, options.has("endpoint"), async () => {
    const typed = await ui.text({
      option: "endpoint",
      message: "Where is the cluster? Host name or address of one of its nodes.",
      check: wrongEndpoint,
    });
    return lookAtEndpoint(normaliseEndpoint(typed), env);
  });
}

/** Shows a certificate that nobody trusts yet, as ssh does with a host key. */
export async function acceptCertificate(ui: Ui, options: Options, shown: EndpointCertificate): Promise<void> {
  const { endpoint, fingerprint, subject, trustedBy, validTo } = shown;
  if (trustedBy !== undefined) {
    const by = trustedBy === "system" ? "this machine trusts it" : "the file in SSL_CERT_FILE trusts it";
    return ui.say(`Certificate of ${endpoint}: ${by}.`);
  }
  ui.say(
    `The certificate of ${endpoint} is not known on this machine.\n` +
      `SHA-256 fingerprint: ${fingerprint}\nMade out to ${subject}, until ${validTo.toISOString().slice(0, 10)}.`,
  );
  const accepted = options.text("accept-fingerprint");
  if (accepted === "any") return;
  if (accepted !== undefined) {
    if (isFingerprint(shown, accepted)) return;
    throw new SetupError("certificate", `${endpoint} shows ${fingerprint}; --accept-fingerprint has ${accepted}`, [
      "Compare with node > System > Certificates of PVE's web interface: somebody else may answer there.",
    ]);
  }
  if (!ui.interactive)
    throw new UsageError(
      `The certificate of ${endpoint} is not known on this machine. If this is its fingerprint (PVE: node > System > Certificates):\n` +
        `  --accept-fingerprint ${fingerprint}`,
    );
  if (await ui.confirm("Is this your node? PVE shows the fingerprint at node > System > Certificates.")) return;
  throw new SetupError("certificate", `the certificate of ${endpoint} was not accepted`);
}

/** How the stack gets its login. */
export type LoginWay = "create" | "token" | "lines";

export interface LoggedIn {
  session: Session;
  way: LoginWay;
  /** `user@realm!name=secret`, unless it is to be made. */
  token?: string;
}

/** The login by what somebody pastes; none of it is shown if it is no token. */
export function tokenLogin(text: string): Extract<Login, { kind: "token" }> {
  const token = text.trim().replace(/^PVEAPIToken=/, "");
  const end = token.lastIndexOf("=");
  const id = token.slice(0, end);
  if (end < 0 || !parseTokenId(id))
    throw new SetupError("login", "this is no API token; expected user@realm!name=secret, as PVE shows it once");
  return { kind: "token", id, secret: token.slice(end + 1) };
}

/** The lines that give a login what setup needs to look at the cluster; taken back when the stack's own rights are known. */
export const firstLines = (user: string, token: string): string[] => [
  `pveum user add ${user} --comment proxmox-golden-fleet`,
  `pveum acl modify / --users ${user} --roles PVEAuditor`,
  `pveum user token add ${user} ${token} --privsep 0      # prints the secret, once`,
];

/** The line that takes back the right to look around. */
export const lastLine = (user: string): string => `pveum acl delete / --users ${user} --roles PVEAuditor`;

export interface LoginNames {
  user: string;
  token: string;
}

export async function askLogin(
  ui: Ui,
  options: Options,
  accepted: EndpointCertificate,
  { names, stdin }: { names: LoginNames; stdin: () => Promise<string> },
): Promise<LoggedIn> {
  const way = await wayOf(ui, options);
  if (way === "lines" && !options.has("token-stdin")) {
    const lines = firstLines(names.user, names.token);
    if (!ui.interactive)
      throw new SetupError("rights", "a token is needed. On a node, as root:", [
        ...lines,
        `Then give ${names.user}!${names.token}=<the secret> with --token-stdin.`,
      ]);
    ui.lines("Run this on a node, as root. It gives setup read access, which the last lines take back:", lines);
  }
  const isFinal = options.has("password-stdin") || options.has("token-stdin");
  return untilItWorks(ui, isFinal, async () => {
    if (way === "create") {
      // Whom else: a user that may make others. One who has one gives --username.
      const username = options.text("username") ?? "root@pam";
      const password = options.has("password-stdin")
        ? await stdin()
        : await ui.password(`Password of ${username}. It is used now, and stored nowhere.`);
      return { way, session: await logIn(accepted, { kind: "password", username, password }) };
    }
    const typed = options.has("token-stdin") ? await stdin() : await ui.password(tokenQuestion(way, names));
    const login = tokenLogin(typed);
    const session = await logIn(accepted, login);
    return { way, session, token: `${login.id}=${login.secret}` };
  });
}

const tokenQuestion = (way: LoginWay, { user, token }: LoginNames) =>
  way === "lines" ? `${user}!${token}=…  Paste the token with its secret` : "API token: user@realm!name=secret";

async function wayOf(ui: Ui, options: Options): Promise<LoginWay> {
  if (!options.has("login")) {
    if (options.has("token-stdin")) return "token";
    if (options.has("password-stdin") || !ui.interactive) return "create";
  }
  return ui.pick<LoginWay>({
    option: "login",
    message: "How does the stack log in? It gets a token with the rights that it needs, and no more.",
    choices: [
      { value: "create", label: "Make a user and a token", hint: "with root's password, once" },
      { value: "token", label: "I have an API token" },
      { value: "lines", label: "Print the lines for a root shell on a node" },
    ],
    none: "",
  });
}

import { parseTokenId, parseUserId } from "../../../../config/formats.ts";
import { ApiError } from "../../../../proxmox/errors.ts";
import { type Check, fail, pass } from "../../finding.ts";

/** The API takes the token or the password. */
export const login: Check = {
  id: "login",
  group: "environment",
  async run({ version, login: own }) {
    try {
      await version();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.status !== 401) {
        return [fail(`the API answers, but not to the question for its version: ${error.message}`, { cause: error })];
      }
      if (own.kind === "password") {
        const { name: user, realm } = parseUserId(own.username) ?? {};
        return [
          fail(`PVE refused ${own.username} ("${error.answer}"): the password is wrong, or there is no such user`, {
            path: "password",
            todo: [
              `Is realm "${realm}" the right one for ${user}? Set the password: pulumi config set --secret password`,
            ],
            cause: error,
          }),
        ];
      }
      const { user, name } = parseTokenId(own.id) ?? {};
      const expired = /expired/i.test(error.answer);
      return [
        fail(
          `PVE refused token ${own.id} ("${error.answer}"): ${expired ? "it has expired" : "its secret is wrong, it has expired, or there is no such token"}`,
          {
            path: "apiToken",
            todo: [
              `On a node, see the token and when it expires: pveum user token list ${user}`,
              `Make a new secret: pveum user token remove ${user} ${name} && pveum user token add ${user} ${name} --privsep 0`,
              `and set it: pulumi config set --secret apiToken '${own.id}=<secret>'`,
            ],
            cause: error,
          },
        ),
      ];
    }
    return [pass(`logged in as ${own.kind === "token" ? own.id : own.username}`)];
  },
};

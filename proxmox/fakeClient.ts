import type { Params, PveClient } from "./client.ts";
import type { Login } from "./login.ts";
import { isTransient, withRetry } from "./retry.ts";
import { TaskDurations } from "./taskDurations.ts";

/** What PVE answers to a call such as `GET /nodes/pve1/qemu/9101/config`; an Error is thrown. */
export type Answer = (call: string, params: Params) => unknown;

const TOKEN: Login = { kind: "token", id: "fleet@pve!golden", secret: "0000" };

/**
 * A client for unit tests. `asked` has all calls in their order, each with its parameters if it has any:
 * `PUT /pools {"poolid":"web"}`.
 */
export function fakeClient(
  answer: Answer,
  { login = TOKEN }: { login?: Login } = {},
): { client: PveClient; asked: string[] } {
  const asked: string[] = [];
  const send =
    (method: string) =>
    async (apiPath: string, params: Params = {}) => {
      const call = `${method} ${decodeURIComponent(apiPath)}`;
      asked.push(Object.keys(params).length > 0 ? `${call} ${JSON.stringify(params)}` : call);
      const value = await answer(call, params);
      if (value instanceof Error) throw value;
      return value;
    };
  const getOnce = send("GET");
  const client = {
    connection: { endpoint: "https://pve1.example.net:8006", tls: { insecure: false }, login },
    pauseMs: 1,
    taskDurations: new TaskDurations(),
    get: (apiPath: string, params?: Params) =>
      withRetry(() => getOnce(apiPath, params), { when: isTransient, pauseMs: 1 }),
    getOnce,
    post: send("POST"),
    put: send("PUT"),
    delete: send("DELETE"),
  };
  return { client: client as unknown as PveClient, asked };
}

/** Answers one after the other, the last one again and again. */
export function inTurn<T>(...answers: T[]): () => T {
  let turn = 0;
  return () => answers[Math.min(turn++, answers.length - 1)] as T;
}

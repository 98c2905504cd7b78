import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { PveClient, path } from "./client.ts";
import type { ApiError, ConnectionError } from "./errors.ts";
import type { Login } from "./login.ts";

/** Against servers of our own over plain HTTP; `test/client.lab.test.ts` has TLS and a real API. */

const SECRET = "1ab0f1ee-5ec2-4000-8000-00000000f1ee";
const token: Login = { kind: "token", id: "fleet@pve!golden", secret: SECRET };
const password: Login = { kind: "password", username: "root@pam", password: SECRET };

const opened: { close(): unknown }[] = [];
afterEach(async () => {
  for (const one of opened.splice(0)) await one.close();
});

type Answer = (request: IncomingMessage, response: ServerResponse, body: string) => void;

async function listen(server: Server | ReturnType<typeof createTcpServer>): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  opened.push({ close: () => server.close() });
  return (server.address() as AddressInfo).port;
}

async function clientOf(answer: Answer, login: Login = token): Promise<PveClient> {
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    answer(request, response, body);
  });
  const client = new PveClient({
    endpoint: `http://127.0.0.1:${await listen(server)}`,
    tls: { insecure: false },
    login,
  });
  opened.unshift(client);
  return client;
}

const json = (response: ServerResponse, value: unknown, status = 200) =>
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(value));

const failing = (work: Promise<unknown>) =>
  work.then(
    () => expect.unreachable("it went well"),
    (error: unknown) => error,
  );

describe("what goes to PVE", () => {
  it("encodes what stands in a path: UPIDs of token logins hold colons and an exclamation mark", () => {
    const upid = "UPID:pve1:0001:0002:66:qmclone:9000:fleet@pve!golden:";
    const text = path`/nodes/${"pve1"}/tasks/${upid}/status`;
    expect(text.split("/")).toHaveLength(6);
    expect(decodeURIComponent(text.split("/")[4] ?? "")).toBe(upid);
    expect(path`/x/${"local:import/a.qcow2"}`).toBe("/x/local%3Aimport%2Fa.qcow2");
  });

  it("says booleans and lists as PVE's forms take them, leaves out what is undefined, and has no body with a DELETE", async () => {
    const seen: string[] = [];
    const client = await clientOf((request, response, body) => {
      seen.push(`${request.method} ${request.url} ${body}`);
      json(response, { data: null });
    });
    await client.put("/a", { onboot: true, full: false, searchdomain: undefined, name: "a b" });
    await client.delete("/b", { purge: true });
    await client.post("/c", { command: ["cloud-init", "status"] });
    expect(seen).toEqual([
      "PUT /api2/json/a onboot=1&full=0&name=a+b",
      "DELETE /api2/json/b?purge=1 ",
      "POST /api2/json/c command=cloud-init&command=status",
    ]);
  });
});

describe("what PVE refuses", () => {
  it("lists every parameter that PVE complains of", async () => {
    const errors = { vmid: "VM 160 already exists\n", memory: "value must have a minimum value of 16" };
    const client = await clientOf((_, response) =>
      json(response, { data: null, errors, message: "Parameter verification failed.\n" }, 400),
    );
    const error = (await failing(client.post("/nodes/pve1/qemu"))) as ApiError;
    expect(error.message).toBe(
      "POST /nodes/pve1/qemu answered 400: Parameter verification failed; vmid: VM 160 already exists; memory: value must have a minimum value of 16",
    );
    expect(error.parameters.vmid).toContain("already exists");
  });

  it("reads the reason phrase where the body is empty", async () => {
    const client = await clientOf((_, response) => response.writeHead(401, "no such token 'golden'").end());
    expect(await failing(client.get("/version"))).toMatchObject({ status: 401, answer: "no such token 'golden'" });
  });

  it("is not asked twice for a refusal", async () => {
    let asked = 0;
    const client = await clientOf((_, response) => {
      asked++;
      json(response, { data: null, message: "Permission check failed (/vms/120, VM.Audit)\n" }, 403);
    });
    expect(await failing(client.get("/nodes"))).toMatchObject({ code: "permission" });
    expect(asked).toBe(1);
  });

  it("a 404 with PVE's own JSON is PVE's answer", async () => {
    const client = await clientOf((_, response) => json(response, { data: null, message: "no such alias\n" }, 404));
    expect(await failing(client.get("/x"))).toMatchObject({ name: "ApiError", answer: "no such alias" });
  });
});

describe("what is not a PVE API", () => {
  it.each([
    ["a page", (response: ServerResponse) => response.end("<html>Welcome to nginx</html>")],
    ["JSON of another kind", (response: ServerResponse) => json(response, { hello: "world" })],
    ["a redirect", (response: ServerResponse) => response.writeHead(302, { location: "/login" }).end()],
    ["not found", (response: ServerResponse) => response.writeHead(404).end("not found")],
    [
      "a login page",
      (response: ServerResponse) =>
        response.writeHead(401, { "content-type": "text/html" }).end("<html>Sign in</html>"),
    ],
  ])("%s is told as such, and not asked for again", async (_name, respond) => {
    let asked = 0;
    const client = await clientOf((_, response) => {
      asked++;
      respond(response);
    });
    const error = (await failing(client.get("/version"))) as ConnectionError;
    expect(error).toMatchObject({ code: "not-pve" });
    expect(error.message).toContain("is the endpoint right?");
    expect(asked).toBe(1);
  });

  it("a server that does not speak HTTP", async () => {
    const port = await listen(createTcpServer((socket) => socket.on("data", () => socket.end("220 mail ESMTP\r\n"))));
    const client = new PveClient({ endpoint: `http://127.0.0.1:${port}`, tls: { insecure: false }, login: token });
    expect(await failing(client.get("/version"))).toMatchObject({ code: "not-pve" });
  });

  it("an HTTP or SSH server on the port of an HTTPS endpoint", async () => {
    const plain = await listen(createServer((_, response) => response.end("hello")));
    const ssh = await listen(createTcpServer((socket) => socket.on("error", () => undefined).write("SSH-2.0-x\r\n")));
    for (const port of [plain, ssh]) {
      const client = new PveClient({ endpoint: `https://127.0.0.1:${port}`, tls: { insecure: false }, login: token });
      const error = (await failing(client.get("/version"))) as ConnectionError;
      expect(error).toMatchObject({ code: "not-pve" });
      expect(error.message).toContain("does not speak HTTPS");
    }
  });
});

describe("trouble on the way", () => {
  it("a read is tried again after a proxy's 502 page, and after a connection that broke", async () => {
    let asked = 0;
    const client = await clientOf((request, response) => {
      asked++;
      if (asked === 1) response.writeHead(502, { "content-type": "text/html" }).end("<html>Bad Gateway</html>");
      else if (asked === 2) request.socket.destroy();
      else json(response, { data: { version: "9.2.11" } });
    });
    expect(await client.get("/version")).toEqual({ version: "9.2.11" });
    expect(asked).toBe(3);
  });

  it("a change is sent once: whether it may be sent twice only its caller knows", async () => {
    let asked = 0;
    const client = await clientOf((request) => {
      asked++;
      request.socket.destroy();
    });
    expect(await failing(client.post("/nodes/pve1/qemu/9000/clone"))).toMatchObject({ code: "dropped" });
    expect(asked).toBe(1);
  });

  it("a read once is one request: who wants to know at once is told at once", async () => {
    const port = await listen(createTcpServer());
    await opened.pop()?.close();
    const client = new PveClient({ endpoint: `https://127.0.0.1:${port}`, tls: { insecure: false }, login: token });
    const error = (await failing(client.getOnce("/version"))) as ConnectionError;
    expect(error).toMatchObject({
      code: "refused",
      message: `127.0.0.1:${port} refused the connection: nothing listens there`,
    });
  });

  it("all addresses of a name that refuse are one refusal", async () => {
    const port = await listen(createTcpServer());
    await opened.pop()?.close();
    const client = new PveClient({ endpoint: `https://localhost:${port}`, tls: { insecure: false }, login: token });
    expect(await failing(client.getOnce("/version"))).toMatchObject({ code: "refused" });
  });

  it("a name that does not exist is told by its name", async () => {
    const endpoint = "https://pve.golden-fleet.invalid:8006";
    const client = new PveClient({ endpoint, tls: { insecure: false }, login: token });
    const error = (await failing(client.getOnce("/version"))) as ConnectionError;
    expect(error).toMatchObject({ code: "dns", message: "the host name pve.golden-fleet.invalid cannot be resolved" });
  });
});

describe("a login with a password", () => {
  interface Pve {
    logins: number;
    valid: Set<string>;
    refuse: number;
  }

  /** A PVE whose tickets a test can take back. */
  async function pveWithTickets(more: Partial<Pve> = {}): Promise<{ pve: Pve; client: PveClient }> {
    const pve: Pve = { logins: 0, valid: new Set(), refuse: 0, ...more };
    const client = await clientOf((request, response) => {
      if (request.url === "/api2/json/access/ticket") {
        pve.logins++;
        if (pve.refuse-- > 0) return json(response, { data: null, message: "authentication failure\n" }, 401);
        const ticket = `PVE:root@pam:${pve.logins}::a+b/c==`;
        pve.valid.add(`PVEAuthCookie=${ticket}`);
        return json(response, { data: { ticket, CSRFPreventionToken: `csrf-${pve.logins}` } });
      }
      if (!pve.valid.has(request.headers.cookie ?? "")) return response.writeHead(401, "permission denied").end();
      return json(response, { data: request.headers.csrfpreventiontoken });
    }, password);
    return { pve, client };
  }

  it("is made once for calls that start together", async () => {
    const { pve, client } = await pveWithTickets();
    expect(await Promise.all([client.get("/a"), client.get("/b"), client.post("/c")])).toEqual(Array(3).fill("csrf-1"));
    expect(pve.logins).toBe(1);
  });

  it("is made again, once for all, when the ticket has expired", async () => {
    const { pve, client } = await pveWithTickets();
    await client.get("/a");
    pve.valid.clear();
    expect(await Promise.all([client.post("/b"), client.get("/c"), client.put("/d")])).toEqual(Array(3).fill("csrf-2"));
    expect(pve.logins).toBe(2);
  });

  it("that is refused is refused once, not tried again with the same password", async () => {
    const { pve, client } = await pveWithTickets({ refuse: 5 });
    expect(await failing(client.get("/a"))).toMatchObject({ status: 401, answer: "authentication failure" });
    expect(pve.logins).toBe(1);
  });

  it("that failed does not stand for ever", async () => {
    const { client } = await pveWithTickets({ refuse: 1 });
    await failing(client.get("/a"));
    expect(await client.get("/a")).toBe("csrf-2");
  });

  it("of a user with a second factor says so", async () => {
    const client = await clientOf(
      (_, response) => json(response, { data: { ticket: "PVE:!tfa!…", CSRFPreventionToken: "x", NeedTFA: 1 } }),
      password,
    );
    expect(await failing(client.get("/a"))).toMatchObject({
      status: 401,
      answer: expect.stringContaining("API token"),
    });
  });
});

it("no error text holds the token's secret or the password", async () => {
  for (const login of [token, password]) {
    const answers: Answer[] = [
      (_, response) => response.writeHead(401).end(),
      (_, response) => response.writeHead(200).end("<html>"),
      (_, response) => json(response, { data: null, errors: { password: "wrong" }, message: "no\n" }, 400),
      (request) => request.socket.destroy(),
    ];
    for (const answer of answers) {
      const error = (await failing((await clientOf(answer, login)).post("/a"))) as Error;
      expect(JSON.stringify([error.message, error.stack, error, String(error.cause)])).not.toContain(SECRET);
    }
  }
});

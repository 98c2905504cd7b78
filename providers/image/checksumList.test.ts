import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { fetchChecksum, findChecksum } from "./checksumList.ts";

const hex = (digit: string, length: number) => digit.repeat(length);
const [A, B, C] = [hex("a", 64), hex("b", 64), hex("c", 128)];
const URL_OF_IMAGE = "https://mirror.example.net/noble/current/noble.img";
const sha256 = (value: string) => ({ algorithm: "sha256", value });

describe("a list", () => {
  test.each([
    ["GNU, as SHA256SUMS", `${B}  other.img\n${A}  noble.img\n`],
    ["GNU with the binary mark", `${B} *other.img\n${A} *noble.img\n`],
    ["BSD", `SHA256 (other.img) = ${B}\nSHA256 (noble.img) = ${A}\n`],
    ["openssl", `SHA2-256(noble.img)= ${A}\n`],
    ["BSD with a hyphen", `SHA-256 (noble.img) = ${A}\n`],
    ["one bare value", `${A}\n`],
    ["one bare value in capitals below a comment", `# noble.img\n${A.toUpperCase()}\n`],
    ["comments, empty lines and Windows line ends", `# a comment\r\n\r\n${A}  noble.img\r\n`],
    ["a path before the name", `${A}  ./noble.img\n`],
    ["folders before the name", `${A}  release/x86_64/noble.img\n`],
    [
      "signed with PGP",
      `-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n# noble.img: 5 bytes\n- SHA256 (noble.img) = ${A}\n-----BEGIN PGP SIGNATURE-----\n\niQIzBAEBCAAdFiEE\n=abcd\n-----END PGP SIGNATURE-----\n`,
    ],
    [
      "one bare value, signed",
      `-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n${A}\n-----BEGIN PGP SIGNATURE-----\n\niQIz\n-----END PGP SIGNATURE-----\n`,
    ],
    ["algorithms that PVE has not", `BLAKE2b (noble.img) = ${hex("d", 128)}\nSHA256 (noble.img) = ${A}\n`],
    ["the same file twice", `${A}  noble.img\n${A}  current/noble.img\n`],
  ])("is understood: %s", (_, list) => {
    expect(findChecksum(list, URL_OF_IMAGE)).toEqual(sha256(A));
  });

  test.each([
    ["md5", 32],
    ["sha1", 40],
    ["sha224", 56],
    ["sha256", 64],
    ["sha384", 96],
    ["sha512", 128],
  ])("may be of %s", (algorithm, length) => {
    const value = hex("a", length);
    expect(findChecksum(`${value}  noble.img`, URL_OF_IMAGE)).toEqual({ algorithm, value });
    expect(findChecksum(`${algorithm.toUpperCase()} (noble.img) = ${value}`, URL_OF_IMAGE)).toEqual({
      algorithm,
      value,
    });
  });

  test("of several algorithms gives the strongest", () => {
    const list = `MD5 (noble.img) = ${hex("d", 32)}\nSHA512 (noble.img) = ${C}\nSHA256 (noble.img) = ${A}`;
    expect(findChecksum(list, URL_OF_IMAGE)).toEqual({ algorithm: "sha512", value: C });
  });

  test("with headings of algorithms never takes a BLAKE2 value for a SHA512", () => {
    const list = `# BLAKE2B HASH\n${hex("d", 128)}  noble.img\n# SHA512 HASH\n${C}  noble.img\n`;
    expect(findChecksum(list, URL_OF_IMAGE)).toEqual({ algorithm: "sha512", value: C });
  });

  test("with the same name in several folders gives the one of the URL's folder", () => {
    const list = `${B}  previous/noble.img\n${A}  current/noble.img\n${B}  noble.img`;
    expect(findChecksum(list, URL_OF_IMAGE)).toEqual(sha256(A));
  });

  test("with different values of one name is no proof of anything", () => {
    const list = `${A}  arm64/noble.img\n${B}  amd64/noble.img`;
    expect(() => findChecksum(list, URL_OF_IMAGE)).toThrow("it has 2 different checksums of noble.img");
  });

  test.each([
    ["another file", `${A}  other.img`],
    ["a longer name", `${A}  old-noble.img`],
    ["two bare values", `${A}\n${B}`],
    ["a value of a wrong length", `${A}0  noble.img`],
    ["a web page", "<html><body>Not here</body></html>"],
    ["nothing", ""],
  ])("without the file has no checksum: %s", (_, list) => {
    expect(findChecksum(list, URL_OF_IMAGE)).toBeUndefined();
  });

  test("is of the name in the URL, with its codes read", () => {
    expect(findChecksum(`${A}  a b.img`, "https://example.net/a%20b.img?x=1")).toEqual(sha256(A));
  });
});

describe("fetching the list", () => {
  let server: Server | undefined;
  afterEach(() => server?.close());

  async function serve(listener: RequestListener): Promise<string> {
    const started = createServer(listener);
    server = started;
    await new Promise<void>((resolve) => started.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${(started.address() as AddressInfo).port}/SHA256SUMS`;
  }

  const fetching = (url: string, onRetry?: () => void) =>
    fetchChecksum(url, URL_OF_IMAGE, { retries: 2, pauseMs: 1, ...(onRetry && { onRetry }) });

  test("follows redirects, as mirrors use them", async () => {
    const url = await serve(({ url: path }, response) => {
      if (path === "/SHA256SUMS") response.writeHead(302, { location: "/mirror/SHA256SUMS" }).end();
      else response.end(`${A}  noble.img`);
    });
    expect(await fetching(url)).toEqual(sha256(A));
  });

  test("asks with the user name and password that the URL has, percent signs and all", async () => {
    const url = await serve(({ headers }, response) => {
      const [, login = ""] = headers.authorization?.split(" ") ?? [];
      if (Buffer.from(login, "base64").toString() !== "me:p@w:1") response.writeHead(401).end();
      else response.end(`${A}  noble.img`);
    });
    expect(await fetching(url.replace("://", "://me:p%40w%3A1@"))).toEqual(sha256(A));
    await expect(fetching(url)).rejects.toThrow("the server answered 401");
  });

  test("is tried again on a 5xx and on a dropped connection", async () => {
    let asked = 0;
    const url = await serve((request, response) => {
      asked++;
      if (asked === 1) response.writeHead(503).end();
      else if (asked === 2) request.socket.destroy();
      else response.end(`${A}  noble.img`);
    });
    let retries = 0;
    expect(await fetching(url, () => retries++)).toEqual(sha256(A));
    expect([asked, retries]).toEqual([3, 2]);
  });

  test("that is not there is not asked for twice, and the text says who asked and what to do", async () => {
    let asked = 0;
    const url = await serve((_, response) => {
      asked++;
      response.writeHead(404).end();
    });
    await expect(fetching(url)).rejects.toThrow(
      `could not find the checksum in ${url}\n  the server answered 404\n  This machine fetches the list, not the node: check checksumUrl from here, or give the checksum itself (checksum).`,
    );
    expect(asked).toBe(1);
  });

  test("that does not have the file says so", async () => {
    const url = await serve((_, response) => response.end(`${A}  other.img`));
    await expect(fetching(url)).rejects.toThrow(
      `could not find the checksum in ${url}\n  it has no checksum of noble.img that PVE knows\n  Check that checksumUrl is the list beside the image`,
    );
  });

  test("of a server that nobody can reach says why", async () => {
    const url = await serve(() => undefined);
    server?.close();
    await expect(fetching(url)).rejects.toThrow(/could not find the checksum in .*\n.*ECONNREFUSED/);
  });

  test("that is the image itself is not read to its end", async () => {
    const url = await serve((_, response) => {
      const chunk = Buffer.alloc(2 ** 20);
      const write = () => void (response.destroyed || response.write(chunk, write));
      write();
    });
    await expect(fetching(url)).rejects.toThrow("that is no list of checksums");
  });
});

import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { lastPart } from "../config/rules/image.ts";
import { templateSchema } from "../config/template.ts";
import { checkImage } from "./imageCheck.ts";
import { IMAGES } from "./images.ts";

describe("the image list", () => {
  it.each(IMAGES)(
    "$name is one that the config takes, with its list on the same server",
    ({ url, checksumUrl, user }) => {
      const template = { vmId: 9000, image: { url, checksumUrl }, cloudInit: { user } };
      expect(templateSchema.safeParse(template).error).toBeUndefined();
      expect(new URL(checksumUrl).host).toBe(new URL(url).host);
      expect(lastPart(url)).toMatch(/\.(img|qcow2)$/);
    },
  );

  it("has each name and key once", () => {
    for (const of of [IMAGES.map(({ name }) => name), IMAGES.map(({ key }) => key)])
      expect(new Set(of).size).toBe(of.length);
  });
});

describe("an image is looked up", () => {
  let server: Server;
  let base: string;
  beforeAll(async () => {
    server = createServer((request, response) => {
      if (request.url === "/a.qcow2") response.end();
      else if (request.url === "/SUMS") response.end(`${"0".repeat(64)}  a.qcow2\n`);
      else response.writeHead(404).end();
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(() => server.close());

  it("and found", async () => {
    expect(await checkImage({ url: `${base}/a.qcow2`, checksumUrl: `${base}/SUMS` })).toEqual([]);
  });

  it("and what is wrong is told", async () => {
    expect(await checkImage({ url: `${base}/b.qcow2`, checksumUrl: `${base}/SUMS` })).toEqual([
      `${base}/b.qcow2 answers 404`,
      expect.stringContaining("it has no checksum of b.qcow2"),
    ]);
    expect(await checkImage({ url: "http://127.0.0.1:1/a.qcow2" })).toEqual([
      expect.stringMatching(/^http:\/\/127\.0\.0\.1:1\/a\.qcow2 does not answer \(.+\)$/),
    ]);
  });
});

import { expect, test } from "vitest";
import { canBeSecret, holdsSecret, secretValues } from "./secrets.ts";

const CIPHER = { secure: "v1:abc" };

const places = (value: unknown, written: unknown) =>
  secretValues(value, written, ["templates"]).map(({ path, encrypted }) => `${path}${encrypted ? "" : " (perhaps)"}`);

test("what is encrypted in the stack's file is a secret, what stands there in plain text is not", () => {
  const value = { noble: { vmId: 9000, cloudInit: { runCommands: ["echo a", "echo b", ["sh", "c"]], user: "ann" } } };
  const written = {
    noble: { vmId: 9000, cloudInit: { runCommands: ["echo a", CIPHER, ["sh", CIPHER]], user: "ann" } },
  };
  expect(places(value, written)).toEqual([
    "templates.noble.cloudInit.runCommands[1]",
    "templates.noble.cloudInit.runCommands[2][1]",
  ]);
});

test("what does not stand in the file, or otherwise, may be a secret", () => {
  const value = { noble: { vmId: 9000, description: "a", cloudInit: { vendor: { b: "c" } } } };
  expect(places(value, { noble: { vmId: 9000, description: "z" } })).toEqual([
    "templates.noble.description (perhaps)",
    "templates.noble.cloudInit.vendor.b (perhaps)",
  ]);
  expect(places(value, undefined)).toHaveLength(3);
});

test("of a section that is encrypted as a whole everything may be a secret", () => {
  expect(places({ noble: { vmId: 9000 } }, CIPHER)).toEqual(["templates.noble.vmId (perhaps)"]);
  expect(places("{broken", CIPHER)).toEqual(["templates"]);
});

test("a place holds a secret that is in it", () => {
  const secrets = secretValues({ noble: { cloudInit: { runCommands: ["a"], vendor: { "x.y": "b" } } } }, {}, ["t"]);
  const holds = (place: string) => holdsSecret(secrets, place);
  expect(holds("t.noble.cloudInit.runCommands")).toBe(true);
  expect(holds("t.noble.cloudInit.runCommands[0]")).toBe(true);
  expect(holds("t.noble.cloudInit.vendor")).toBe(true);
  expect(holds("t.noble")).toBe(true);
  expect(holds("t.noble.cloudInit.run")).toBe(false);
  expect(holds("t.noble.cloudInit.user")).toBe(false);
  expect(holds("t.noble2")).toBe(false);
});

test.each([
  ["apiToken", true],
  ["templates.noble.image.url", true],
  ["templates.noble.cloudInit.writeFiles[0].content", true],
  ["templates.noble.cloudInit.network", true],
  ["cloneSets.web.clones[3].description", true],
  ["templates.noble.name", false],
  ["templates.noble.image.checksum", false],
  ["templates.noble.cloudInit.user", false],
  ["templates.noble.cloudInit.networks", false],
  ["cluster.endpoint", false],
  ["cloneSets.web.clones[3].tags[0]", false],
])("%s can be a secret: %s", (place, can) => {
  expect(canBeSecret(place)).toBe(can);
});

import fc from "fast-check";
import { expect, test } from "vitest";
import { parseChecksum } from "./template.ts";
import { load, noble, templateProblems } from "./testing.ts";

const HEX: Record<string, number> = { md5: 32, sha1: 40, sha224: 56, sha256: 64, sha384: 96, sha512: 128 };

test.each(Object.entries(HEX))("a %s sum of %i digits, with and without its name", (algorithm, length) => {
  const value = "0a".repeat(length / 2);
  expect(parseChecksum(`${algorithm}:${value}`)).toEqual({ algorithm, value });
  expect(parseChecksum(value)).toEqual({ algorithm, value });
  expect(parseChecksum(` ${algorithm.toUpperCase()}:${value.toUpperCase()}\n`)).toEqual({ algorithm, value });
  expect(parseChecksum(`${algorithm}:${value}0`)).toBeUndefined();
});

test.each(["", "sha256:", "sha3:00", `md5:${"a".repeat(64)}`, "z".repeat(64), "sha256"])("no checksum: %s", (text) => {
  expect(parseChecksum(text)).toBeUndefined();
});

test("property: what is read as a checksum has its algorithm's length", () => {
  const digits = fc.string({ unit: fc.constantFrom(..."0123456789abcdef"), minLength: 1, maxLength: 130 });
  fc.assert(
    fc.property(digits, (value) => {
      const found = parseChecksum(value);
      expect(found === undefined).toBe(!Object.values(HEX).includes(value.length));
    }),
  );
});

test("a MAC is kept as PVE writes it", () => {
  const template = { ...noble, nics: [{ mac: "bc:24:11:00:00:0a" }] };
  expect(load({ templates: { noble: template } }).templates.noble?.nics[0]?.mac).toBe("BC:24:11:00:00:0A");
});

test.each([
  [{ disk: { sizeGiB: 0 } }, "disk.sizeGiB: found 0; expected at least 1"],
  [{ cpu: { cores: 0 } }, "cpu.cores: found 0; expected at least 1"],
  [{ nics: [{ mac: "bc:24" }] }, 'nics[0].mac: found "bc:24"; expected a unicast MAC address'],
  [{ nics: [{ vlan: 4095 }] }, "nics[0].vlan: found 4095; expected at most 4094"],
  [{ image: { url: "https://a/b", fileName: "a/b.img" } }, 'image.fileName: found "a/b.img"; expected a file name'],
  [{ cloudInit: { user: "Admin" } }, 'cloudInit.user: found "Admin"; expected a Linux user name'],
  [
    { cloudInit: { writeFiles: [{ path: "etc", content: "" }] } },
    'writeFiles[0].path: found "etc"; expected an absolute',
  ],
  [{ cloudInit: { packages: [""] } }, 'cloudInit.packages[0]: found ""; expected a text that is not empty'],
  [
    { cloudInit: { dns: { servers: ["dns.example.net"] } } },
    'dns.servers[0]: found "dns.example.net"; expected an IPv4',
  ],
  [{ tags: ["Web"] }, 'tags[0]: found "Web"; expected a tag in lower case'],
])("%j is refused", (fields, expected) => {
  const found = templateProblems(fields);
  expect(found).toHaveLength(1);
  expect(found[0]).toContain(expected);
});

test.each(["Europe/Vienna", "Etc/UTC", "UTC", "US/Eastern"])("%s is a time zone", (timezone) => {
  expect(templateProblems({ cloudInit: { timezone } })).toEqual([]);
});

test.each([
  ["europe/vienna", "did you mean Europe/Vienna?"],
  ["Europe/Wien", "did you mean"],
  ["CET+1h", "for example Europe/Vienna"],
])("%s is none", (timezone, hint) => {
  expect(templateProblems({ cloudInit: { timezone } })).toEqual([expect.stringContaining(hint)]);
});

test("two packages in one text are refused", () => {
  expect(templateProblems({ cloudInit: { packages: ["nginx curl"] } })).toEqual([
    expect.stringMatching(/^templates\.noble\.cloudInit\.packages\[0\]: .*expected the name of one package/),
  ]);
});

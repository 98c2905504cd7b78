import fc from "fast-check";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { parsed } from "./goldenCases.ts";
import { renderUserData } from "./userData.ts";

const read = (text: string) => parse(text, { version: "1.1" });

test("it starts with the line by which cloud-init knows it", () => {
  expect(renderUserData(parsed({}), { publicKeys: [] })).toMatch(/^#cloud-config\n/);
});

test("without a user it is the image's default user that gets the keys", () => {
  expect(read(renderUserData(parsed({}), { publicKeys: ["ssh-rsa A"] }))).toEqual({
    manage_etc_hosts: true,
    ssh_authorized_keys: ["ssh-rsa A"],
    chpasswd: { expire: false },
    users: ["default"],
  });
});

test("user and hash are given as PVE gives them", () => {
  const data = read(renderUserData(parsed({ user: "ops" }), { publicKeys: [], passwordHash: "$6$a$b" }));
  expect(data).toMatchObject({ user: "ops", password: "$6$a$b", chpasswd: { expire: false } });
  expect(data).not.toHaveProperty("ssh_authorized_keys");
});

test("root is opened, not made", () => {
  const data = read(renderUserData(parsed({ user: "root" }), { publicKeys: ["ssh-rsa A"] }));
  expect(data).toMatchObject({ user: "root", disable_root: false });
  expect(data).not.toHaveProperty("users");
});

test("the password itself is never in it", () => {
  const cloudInit = parsed({ password: "correct horse" });
  expect(renderUserData(cloudInit, { publicKeys: [], passwordHash: "$6$a$b" })).not.toContain("correct horse");
});

test("there is no host name in it: all clones share the file", () => {
  expect(renderUserData(parsed({ user: "ops" }), { publicKeys: [] })).not.toMatch(/hostname|fqdn/);
});

test("userData wins, and the order of its keys does not matter", () => {
  const one = parsed({ userData: { users: [], chpasswd: { list: "a" }, b: 1, a: 2 } });
  const other = parsed({ userData: { a: 2, b: 1, chpasswd: { list: "a" }, users: [] } });
  const text = renderUserData(one, { publicKeys: [] });
  expect(read(text)).toMatchObject({ users: [], chpasswd: { expire: false, list: "a" }, a: 2, b: 1 });
  expect(renderUserData(other, { publicKeys: [] })).toBe(text);
});

test("property: keys, user and userData come back as they were put in", () => {
  // zod drops a key of this name at any depth, and no cloud-config has one.
  const harmless = (value: unknown) => !JSON.stringify(value).includes('"__proto__":');
  const key = fc.string({ minLength: 1, unit: "grapheme" }).filter((text) => text !== "__proto__");
  fc.assert(
    fc.property(
      fc.array(key, { minLength: 1 }),
      fc.dictionary(key, fc.jsonValue().filter(harmless)),
      (publicKeys, further) => {
        const userData = JSON.parse(JSON.stringify(further));
        const data = read(renderUserData(parsed({ userData: { further: userData } }), { publicKeys }));
        expect(data.ssh_authorized_keys).toEqual(publicKeys);
        expect(data.further).toEqual(userData);
      },
    ),
  );
});

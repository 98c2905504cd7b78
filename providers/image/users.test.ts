import { describe, expect, test } from "vitest";
import { load } from "../../config/testing.ts";
import { templatePart } from "../../fleet/urns.ts";
import { cachedName } from "./fileName.ts";
import type { ImageState } from "./provider.ts";
import { keptFor } from "./users.ts";

const url = "https://example.net/noble.img";
const checksum = `sha256:${"a".repeat(64)}`;
const state = {
  node: "pve1",
  url,
  storedName: cachedName({ url, checksum: "a".repeat(64) }),
} as ImageState;

let vmId = 9000;
const template = (image: object, more: object = {}) => ({
  vmId: ++vmId,
  image: { url, keepImage: false, ...image },
  ...more,
});

/** For whom the file of `mine` stays when that goes. */
function kept(templates: Record<string, unknown>, shared = false, name?: string): string | undefined {
  const { templates: loaded, problems } = load({ templates });
  expect(problems).toEqual([]);
  return keptFor(name ?? `${loaded.mine?.vmId ?? 9999}-image`, state, loaded, shared);
}

const gone = {};
const mine = { mine: template({ checksum }) };

describe("a file of keepImage: false", () => {
  test("goes with the only template that is made from it", () => {
    expect(kept(mine)).toBeUndefined();
    expect(kept(gone)).toBeUndefined();
    expect(kept({ other: template({ checksum: `sha256:${"b".repeat(64)}` }) })).toBeUndefined();
  });

  test("goes with its template by a state of an earlier version, which knows it by its key", () => {
    expect(kept(mine, false, "mine-image")).toBeUndefined();
  });

  test("stays when only one of two templates goes", () => {
    expect(kept({ other: template({ checksum }) })).toBe("other");
  });

  test("is known as its template's by the VMID, whatever the key is by now", () => {
    const { templates } = load({ templates: { renamed: template({ checksum }), other: template({ checksum }) } });
    const { vmId = 0 } = templates.renamed ?? {};
    expect(keptFor(templatePart(vmId, "image"), state, templates, false)).toBeUndefined();
    expect(keptFor(templatePart(9999, "image"), state, templates, false)).toBe("renamed");
  });

  test("goes when all of the stack goes", () => {
    expect(kept({ ...mine, other: template({ checksum }) })).toBeUndefined();
  });

  test("stays in any case if another template wants it kept", () => {
    expect(kept({ ...mine, other: template({ checksum, keepImage: true }) })).toBe("other");
  });

  test("stays when its own template has turned to another image, and the other has not", () => {
    expect(kept({ mine: template({ url: "https://example.net/new.img" }), other: template({ checksum }) })).toBe(
      "other",
    );
  });

  test("is known by the URL where the checksum stands in a list", () => {
    expect(kept({ other: template({ checksumUrl: "https://example.net/SHA256SUMS" }) })).toBe("other");
  });

  test("is known by the URL without its credentials", () => {
    const other = template({ url: "https://me:pw@example.net/noble.img" });
    expect(kept({ other })).toBe("other");
  });

  test("is known by its checksum where its URL is a secret", () => {
    const secret = { ...state, hidden: true as const, storedName: `image-${"a".repeat(16)}.qcow2` };
    const { templates } = load({ templates: { other: template({ checksum }) } });
    expect(keptFor("9999-image", secret, templates, false)).toBe("other");
  });

  test("is shared by the replicas of a template where the datastore is: it goes with all of them", () => {
    const only = template({ checksum });
    const both = { mine: { ...only, nodes: ["pve2", "pve1"] } };
    const one = { mine: { ...only, nodes: ["pve2"] } };
    for (const replica of [`${only.vmId + 1}-image`, "mine-pve1-image"]) {
      expect(kept(one, true, replica)).toBe("mine");
      expect(kept(one, false, replica)).toBeUndefined();
      expect(kept(both, true, replica)).toBeUndefined();
    }
  });

  test("is another one on another node, unless the datastore is shared", () => {
    const other = template({ checksum }, { node: "pve2" });
    expect(kept({ other })).toBeUndefined();
    expect(kept({ other }, true)).toBe("other");
  });
});

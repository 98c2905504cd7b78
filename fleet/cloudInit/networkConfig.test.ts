import { expect, test } from "vitest";
import { parse } from "yaml";
import { renderNetworkConfig } from "./networkConfig.ts";

test("it is the user's map, without the cloud-config line", () => {
  const network = { version: 2, ethernets: { nic0: { match: { name: "en*" }, dhcp4: true } } };
  const text = renderNetworkConfig(network);
  expect(text).not.toContain("#cloud-config");
  expect(parse(text)).toEqual(network);
});

test("the order of keys does not matter", () => {
  expect(renderNetworkConfig({ version: 1, config: [] })).toBe(renderNetworkConfig({ config: [], version: 1 }));
});

import { expect, test } from "vitest";
import { normaliseEndpoint } from "./endpoint.ts";

test.each([
  ["pve1", "https://pve1:8006"],
  [" PVE1.example.net ", "https://pve1.example.net:8006"],
  ["pve1:443", "https://pve1:443"],
  ["10.0.0.11", "https://10.0.0.11:8006"],
  ["10.0.0.11:8006", "https://10.0.0.11:8006"],
  ["fd00::11", "https://[fd00::11]:8006"],
  ["[fd00::11]", "https://[fd00::11]:8006"],
  ["[fd00::11]:8443", "https://[fd00::11]:8443"],
  ["https://pve1.example.net", "https://pve1.example.net:8006"],
  ["https://pve1.example.net:8006/#v1:0:18:4:::::", "https://pve1.example.net:8006"],
  ["https://pve.example.net:443/", "https://pve.example.net:443"],
  ["HTTPS://pve1/?console=kvm", "https://pve1:8006"],
])("%s is %s", (text, url) => {
  expect(normaliseEndpoint(text)).toBe(url);
});

test.each([
  ["", "found nothing"],
  ["http://pve1:8006", "https:// in place of http://"],
  ["ssh://root@pve1", "https:// in place of ssh://"],
  ["root@pve1", "expected no user here"],
  ["https://pve1:8006/api2/json", "without a path"],
  ["pve1:80060", '"80060" is no port'],
  ["pve1:", '"" is no port'],
  ["pve1:https", '"https" is no port'],
  ["fe80::1%eth0", "a zone"],
  ["10.0.0", "expected a host name or an address"],
  ["10.0.0.256", "expected a host name or an address"],
  ["pve 1", "expected a host name or an address"],
  ["fd00::zz", "expected a host name or an address"],
])("%s is no endpoint", (text, why) => {
  expect(() => normaliseEndpoint(text)).toThrow(expect.objectContaining({ code: "endpoint" }));
  expect(() => normaliseEndpoint(text)).toThrow(why);
});

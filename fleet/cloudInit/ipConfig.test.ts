import { expect, test } from "vitest";
import { ipConfig } from "./ipConfig.ts";

test.each([
  [{ ip: "dhcp" }, "ip=dhcp"],
  [{ ip: "10.0.0.21/24", gateway: "10.0.0.1" }, "ip=10.0.0.21/24,gw=10.0.0.1"],
  [{ ip: "dhcp", ip6: "auto" }, "ip=dhcp,ip6=auto"],
  [{ ip: "dhcp", ip6: "dhcp" }, "ip=dhcp,ip6=dhcp"],
  [
    { ip: "10.0.0.21/24", gateway: "10.0.0.1", ip6: "2001:db8::21/64", gateway6: "fe80::1" },
    "ip=10.0.0.21/24,gw=10.0.0.1,ip6=2001:db8::21/64,gw6=fe80::1",
  ],
])("%o is %s", (addresses, expected) => {
  expect(ipConfig(addresses)).toBe(expected);
});

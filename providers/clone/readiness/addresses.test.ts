import { describe, expect, it } from "vitest";
import type { GuestInterface } from "../../../proxmox/agent.ts";
import { addressesOf, primaryAddress } from "./addresses.ts";

const nic = (name: string, ...addresses: string[]): GuestInterface => ({
  name,
  "ip-addresses": addresses.map((address) => ({
    "ip-address": address,
    "ip-address-type": address.includes(":") ? "ipv6" : "ipv4",
    prefix: address.includes(":") ? 64 : 24,
  })),
});

describe("the addresses of a guest", () => {
  it("are by interface, without loopback, containers and the guest's own VMs", () => {
    const internal = ["lo", "docker0", "br-1a2b3c", "veth9f", "cni0", "flannel.1", "cali12", "virbr0", "tunl0"];
    const more = ["kube-ipvs0", "podman0", "lxcbr0", "lxdbr0"];
    const found = addressesOf([
      ...[...internal, ...more].map((name) => nic(name, "172.17.0.1")),
      nic("eth0", "10.0.0.21", "2001:db8::21"),
      nic("ens19", "192.168.7.2"),
    ]);
    expect(found).toEqual({ eth0: ["10.0.0.21", "2001:db8::21"], ens19: ["192.168.7.2"] });
  });

  it("are none that a guest gives itself while no router or DHCP server answers", () => {
    expect(addressesOf([nic("eth0", "fe80::be24:11ff:fe00:1", "169.254.12.7"), nic("eth1")])).toEqual({});
    expect(addressesOf([{ name: "eth0" }])).toEqual({});
  });

  it("are those of a bridge that is the guest's way out", () => {
    expect(addressesOf([nic("br0", "10.0.0.21"), nic("lan", "10.0.1.1"), nic("local0", "10.0.2.1")])).toEqual({
      br0: ["10.0.0.21"],
      lan: ["10.0.1.1"],
      local0: ["10.0.2.1"],
    });
  });

  it("are not those of Windows' loopback", () => {
    expect(addressesOf([nic("Loopback Pseudo-Interface 1", "::1", "127.0.0.1"), nic("Ethernet", "10.0.0.9")])).toEqual({
      Ethernet: ["10.0.0.9"],
    });
  });
});

describe("the primary address", () => {
  const addresses = { eth0: ["2001:db8::7", "10.0.0.7", "10.0.0.8"], eth1: ["192.168.7.2", "2001:db8:0:7::2"] };

  it.each([
    ["the static one, wherever the guest has it", { ip: "192.168.7.2/24" }, "192.168.7.2"],
    ["the static one among several", { ip: "10.0.0.8/24" }, "10.0.0.8"],
    ["the static IPv6, however it is written", { ip: "dhcp", ip6: "2001:0db8:0:7:0::2/64" }, "2001:db8:0:7::2"],
    ["one in the config's subnet", { ip: "192.168.7.77/24" }, "192.168.7.2"],
    ["IPv4 of the first interface with dhcp", { ip: "dhcp", ip6: "auto" }, "10.0.0.7"],
    ["IPv4 of the first interface if nothing fits", { ip: "172.16.0.2/24" }, "10.0.0.7"],
    ["IPv4 of the first interface without a config", {}, "10.0.0.7"],
  ])("is %s", (_, config, expected) => {
    expect(primaryAddress(addresses, config)).toBe(expected);
  });

  it("is an IPv6 where there is nothing else", () => {
    expect(primaryAddress({ eth0: ["2001:db8::7"], eth1: ["10.0.0.7"] }, { ip: "dhcp" })).toBe("2001:db8::7");
  });

  it("is unknown without addresses", () => {
    expect(primaryAddress({}, { ip: "10.0.0.21/24" })).toBeUndefined();
  });
});

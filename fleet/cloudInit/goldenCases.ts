import type { z } from "zod";
import type { CloudInit } from "../../config/cloudInit.ts";
import { templateSchema } from "../../config/template.ts";
import { renderNetworkConfig } from "./networkConfig.ts";
import { hashPassword } from "./password.ts";
import { renderUserData } from "./userData.ts";
import { renderCloneVendorData, renderVendorData } from "./vendorData.ts";

/** What is rendered into golden/, for the tests here and for the one with the real cloud-init. */

type Input = NonNullable<z.input<typeof templateSchema>["cloudInit"]>;

/** A `cloudInit` section as the stack config's schema leaves it. */
export const parsed = (cloudInit: Input): CloudInit =>
  templateSchema.parse({ vmId: 9000, image: { url: "https://example.net/noble.img" }, cloudInit }).cloudInit;

const KEYS = ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIO6JxiLc/GqdgUEtcCk7TyRtmDvHPz/1bz0hTww9L0eF demo"];

const full = parsed({
  user: "ops",
  password: "correct horse",
  packages: ["qemu-guest-agent", "htop"],
  packageUpgrade: true,
  timezone: "Europe/Vienna",
  locale: "en_US.UTF-8",
  runCommands: ["echo 'first: boot' > /run/first # no comment", ["touch", "/run/with space"]],
  writeFiles: [
    { path: "/etc/motd", content: "Golden: yes\n  indented\n\ttab\n", permissions: "0644", owner: "root:root" },
    { path: "/etc/fleet.conf", content: "mode=on", append: true, defer: true },
  ],
  vendor: { ntp: { enabled: true } },
  userData: { ssh_pwauth: false, final_message: "ready after $UPTIME s" },
  network: {
    version: 2,
    ethernets: { nic0: { match: { macaddress: "bc:24:11:00:00:01" }, dhcp4: true, nameservers: { search: ["no"] } } },
  },
});

const hash = hashPassword("correct horse", "test/noble");

/** File name below golden/ and its text. */
export const goldens: Record<string, string> = {
  "minimal.user-data.yaml": renderUserData(parsed({}), { publicKeys: [] }),
  "minimal.vendor-data.yaml": renderVendorData(parsed({}), { agent: true }),
  "usual.user-data.yaml": renderUserData(parsed({ user: "ubuntu" }), { publicKeys: KEYS }),
  "usual.vendor-data.yaml": renderVendorData(parsed({ packages: ["qemu-guest-agent"] }), { agent: true }),
  "root.user-data.yaml": renderUserData(parsed({ user: "root" }), { publicKeys: KEYS }),
  "full.user-data.yaml": renderUserData(full, { publicKeys: KEYS, passwordHash: hash }),
  "full.vendor-data.yaml": renderVendorData(full, { agent: true }),
  "full.clones.vendor-data.yaml": renderCloneVendorData(full, { agent: true }),
  "full.network-config.yaml": renderNetworkConfig(full.network ?? {}),
  "override.user-data.yaml": renderUserData(
    parsed({
      user: "ubuntu",
      userData: {
        users: ["default", { name: "deploy", sudo: "ALL=(ALL) NOPASSWD:ALL", lock_passwd: true }],
        chpasswd: { users: [{ name: "deploy", type: "RANDOM" }] },
        manage_etc_hosts: "localhost",
      },
    }),
    { publicKeys: KEYS },
  ),
  "override.vendor-data.yaml": renderVendorData(
    parsed({
      packages: ["qemu-guest-agent"],
      timezone: "UTC",
      vendor: {
        timezone: "Europe/Vienna",
        runcmd: [["systemctl", "start", "nginx"]],
        apt: { preserve_sources_list: true },
      },
    }),
    { agent: true },
  ),
};

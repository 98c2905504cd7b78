import type { CloudInit } from "../../config/template.ts";
import { cloudConfig, defined, some } from "./cloudConfig.ts";
import type { JsonMap } from "./json.ts";

const AGENT = "qemu-guest-agent";

export interface VendorDataOptions {
  /** Whether the VM has the guest agent's channel (PVE: `agent`). */
  agent: boolean;
}

/**
 * The vendor-data snippet (PVE: `cicustom vendor=`): what is done at the first boot. cloud-init lets a key of the
 * user-data win over the same key here.
 */
export function renderVendorData(cloudInit: CloudInit, { agent }: VendorDataOptions): string {
  const { packages, packageUpgrade, timezone, locale, runCommands, writeFiles, vendor } = cloudInit;
  // The agent's unit has no [Install] section; udev starts it when the channel appears, which was before the package
  // came. Debian 12 and Ubuntu 22.04 start it in their postinst, Debian 11 and the RPM distributions do not. Starting
  // what runs is harmless; without the channel the start would wait for a device that never comes. It is the first
  // command, so that the last one of the user decides how runcmd ends.
  const startAgent = agent && packages.includes(AGENT) ? [["systemctl", "start", AGENT]] : [];
  return cloudConfig(
    defined({
      timezone,
      locale,
      package_update: packages.length > 0 ? true : undefined,
      package_upgrade: packageUpgrade ? true : undefined,
      packages: some(packages),
      write_files: some(writeFiles.map((file): JsonMap => defined({ ...file }))),
      runcmd: some([...startAgent, ...runCommands]),
    }),
    vendor,
  );
}

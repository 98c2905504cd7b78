import type { CloudInit } from "../../config/cloudInit.ts";
import { cloudConfig, defined, some } from "./cloudConfig.ts";
import type { JsonMap } from "./json.ts";

const AGENT = "qemu-guest-agent";

/** Whether guests of a template get a guest agent, as far as the config tells: an image may have brought one. */
export const installsAgent = ({
  agent,
  cloudInit,
}: {
  agent: boolean;
  cloudInit: Pick<CloudInit, "packages" | "raw">;
}): boolean => agent && cloudInit.raw === undefined && cloudInit.packages.includes(AGENT);

export interface VendorDataOptions {
  /** Whether the VM has the guest agent's channel (PVE: `agent`). */
  agent: boolean;
}

/**
 * cloud-init applies the network-config at every boot. Its default is once for each instance: a clone that keeps its
 * instance would never take over another address. Understood since cloud-init 21.3.
 */
const NETWORK_AT_EVERY_BOOT: JsonMap = { network: { when: ["boot-new-instance", "boot"] } };

function fieldsOf(cloudInit: CloudInit, { agent }: VendorDataOptions): JsonMap {
  const { packages, packageUpgrade, timezone, locale, runCommands, writeFiles } = cloudInit;
  // The agent's unit has no [Install] section; udev starts it when the channel appears, which was before the package
  // came. Debian 12 and Ubuntu 22.04 start it in their postinst, Debian 11 and the RPM distributions do not. Starting
  // what runs is harmless; without the channel the start would wait for a device that never comes. It is the first
  // command, so that the last one of the user decides how runcmd ends.
  const startAgent = agent && packages.includes(AGENT) ? [["systemctl", "start", AGENT]] : [];
  return defined({
    timezone,
    locale,
    package_update: packages.length > 0 ? true : undefined,
    package_upgrade: packageUpgrade ? true : undefined,
    packages: some(packages),
    write_files: some(writeFiles.map((file): JsonMap => defined({ ...file }))),
    runcmd: some([...startAgent, ...runCommands]),
  });
}

/**
 * The vendor-data snippet (PVE: `cicustom vendor=`): what is done at the first boot. cloud-init lets a key of the
 * user-data win over the same key here.
 */
export const renderVendorData = (cloudInit: CloudInit, options: VendorDataOptions): string =>
  cloudConfig(fieldsOf(cloudInit, options), cloudInit.vendor);

/**
 * The vendor-data snippet of the clones: the template's, and the network-config is applied at every boot. It is a snippet
 * of its own, because another vendor-data of the template would be another template (docs/decisions/0017).
 */
export const renderCloneVendorData = (cloudInit: CloudInit, options: VendorDataOptions): string =>
  cloudConfig({ ...fieldsOf(cloudInit, options), updates: NETWORK_AT_EVERY_BOOT }, cloudInit.vendor);

/**
 * The SMBIOS system serial that tells a guest its host name.
 *
 * cloud-init's NoCloud source reads the serial as it reads the kernel command line: `ds=nocloud;key=value;…`. Its keys
 * win over the meta-data of the cloud-init drive and are merged with it, and user-data, vendor-data and network-config
 * still come from the drive. `h` is the host name, with or without domain. `dsmode=net` is what the drive alone would
 * give; without it `ds=nocloud` would run the first modules before the network is up.
 *
 * @param hostname host name, with its domain if it has one: `web-1` or `web-1.example.net`
 */
export const smbiosSerial = (hostname: string): string => `ds=nocloud;dsmode=net;h=${hostname}`;

/** A cloud image that setup offers. Only x86-64: that is what Proxmox VE runs on. */
export interface OfferedImage {
  /** What `--image` takes. */
  name: string;
  title: string;
  /** Key of the template in the config. */
  key: string;
  /** The present image of the release; the distribution puts newer ones in its place. */
  url: string;
  /** The list that names this file, from the same server. */
  checksumUrl: string;
  /** The image's own login user. */
  user: string;
}

const rocky = "https://dl.rockylinux.org/pub/rocky/9/images/x86_64/Rocky-9-GenericCloud-Base.latest.x86_64.qcow2";
const fedora = "https://download.fedoraproject.org/pub/fedora/linux/releases/43/Cloud/x86_64/images";
const leap =
  "https://download.opensuse.org/distribution/leap/15.6/appliances/openSUSE-Leap-15.6-Minimal-VM.x86_64-Cloud.qcow2";

/**
 * The first is the default. Releases for processors of x86-64-v2, as the program's own CPU type is: Rocky and Alma 10 want v3.
 */
export const IMAGES: readonly OfferedImage[] = [
  {
    name: "ubuntu",
    title: "Ubuntu 24.04 LTS (noble)",
    key: "noble",
    url: "https://cloud-images.ubuntu.com/noble/current/noble-server-cloudimg-amd64.img",
    checksumUrl: "https://cloud-images.ubuntu.com/noble/current/SHA256SUMS",
    user: "ubuntu",
  },
  {
    name: "debian",
    title: "Debian 13 (trixie)",
    key: "trixie",
    url: "https://cloud.debian.org/images/cloud/trixie/latest/debian-13-generic-amd64.qcow2",
    checksumUrl: "https://cloud.debian.org/images/cloud/trixie/latest/SHA512SUMS",
    user: "debian",
  },
  {
    name: "rocky",
    title: "Rocky Linux 9",
    key: "rocky9",
    url: rocky,
    checksumUrl: `${rocky}.CHECKSUM`,
    user: "rocky",
  },
  {
    name: "alma",
    title: "AlmaLinux 9",
    key: "alma9",
    url: "https://repo.almalinux.org/almalinux/9/cloud/x86_64/images/AlmaLinux-9-GenericCloud-latest.x86_64.qcow2",
    checksumUrl: "https://repo.almalinux.org/almalinux/9/cloud/x86_64/images/CHECKSUM",
    user: "almalinux",
  },
  {
    name: "fedora",
    title: "Fedora 43 Cloud",
    key: "fedora43",
    url: `${fedora}/Fedora-Cloud-Base-Generic-43-1.6.x86_64.qcow2`,
    checksumUrl: `${fedora}/Fedora-Cloud-43-1.6-x86_64-CHECKSUM`,
    user: "fedora",
  },
  {
    name: "opensuse",
    title: "openSUSE Leap 15.6",
    key: "leap",
    url: leap,
    checksumUrl: `${leap}.sha256`,
    user: "opensuse",
  },
];

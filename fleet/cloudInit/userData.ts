import type { CloudInit } from "../../config/cloudInit.ts";
import { cloudConfig, defined, some } from "./cloudConfig.ts";

export interface UserDataOptions {
  /** Lines for the user's authorized_keys. */
  publicKeys: readonly string[];
  /** SHA-512 crypt hash; see `hashPassword`. */
  passwordHash?: string | undefined;
}

/**
 * The user-data snippet (PVE: `cicustom user=`), with the keys that PVE itself would write, so that a guest is the same
 * as one configured by `ciuser`, `cipassword` and `sshkeys`. There is no host name in it: the template and all its clones
 * share the snippet (see `smbiosSerial`).
 */
export function renderUserData(cloudInit: CloudInit, { publicKeys, passwordHash }: UserDataOptions): string {
  const { user, userData } = cloudInit;
  const root = user === "root";
  return cloudConfig(
    defined({
      manage_etc_hosts: true,
      user,
      // As PVE: root is no default user to be made, but an account to be opened.
      disable_root: root ? false : undefined,
      password: passwordHash,
      ssh_authorized_keys: some(publicKeys),
      chpasswd: { expire: false },
      users: root ? undefined : ["default"],
    }),
    userData,
  );
}

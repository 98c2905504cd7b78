export { smbiosSerial } from "./smbiosSerial.ts";

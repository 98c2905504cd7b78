import * as pulumi from "@pulumi/pulumi";

/**
 * Keeps secrets out of the SDK's debug log: it writes the engine's answer to every registration there, decrypted. That log
 * is shown by `--debug`, and is in every `--event-log`.
 */
export function hideAnswers(): void {
  const log: { debug: typeof pulumi.log.debug } = pulumi.log;
  const { debug } = log;
  log.debug = (message, ...rest) => debug(message.replace(/, resp: .*$/s, ""), ...rest);
}

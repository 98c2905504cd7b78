import grpc from "@grpc/grpc-js";
import engineGrpc from "@pulumi/pulumi/proto/engine_grpc_pb.js";
import engineProto from "@pulumi/pulumi/proto/engine_pb.js";

/** Tells the user what is being done, while it is being done. */
export type Report = (message: string) => void;

/** How a resource speaks to the user. */
export interface Messages {
  report: Report;
  /** How far something is that takes long, in percent. */
  progress: (doing: string, percent: number) => void;
  /** Stays on the screen. */
  info: Report;
  warn: Report;
}

let engine: InstanceType<typeof engineGrpc.EngineClient> | undefined;

/** The engine's address is the first argument of the dynamic-provider host; without one (unit tests) nobody listens. */
function engineClient() {
  const address = process.argv[2];
  if (engine === undefined && address && /^[\w.-]+:\d+$/.test(address)) {
    engine = new engineGrpc.EngineClient(address, grpc.credentials.createInsecure());
  }
  return engine;
}

type Severity = Parameters<InstanceType<typeof engineProto.LogRequest>["setSeverity"]>[0];

/** An engine that takes nothing (a run that was suspended in its terminal) gets no more progress than this when it goes on. */
const MOST_WAITING = 1000;

let sent: Promise<unknown> = Promise.resolve();
let waiting = 0;

function sender(urn: string, severity: Severity, ephemeral: boolean): Report {
  return (message) => {
    const client = engineClient();
    if (!client || (ephemeral && waiting >= MOST_WAITING)) return;
    const request = new engineProto.LogRequest();
    request.setSeverity(severity);
    request.setUrn(urn);
    request.setMessage(message);
    request.setEphemeral(ephemeral);
    waiting++;
    // One after the other: calls that are under way together may overtake each other. Progress that cannot be shown is no
    // reason to fail.
    sent = sent.then(() => new Promise<void>((resolve) => client.log(request, () => resolve()))).then(() => waiting--);
  };
}

/** How far something is that takes long, as the end of a message. */
const HOW_FAR = /\d+(%| MiB| s of \d+ s)$/;
const HOW_FAR_EVERY_MS = 10_000;

/**
 * Passes on what is said, but how far one and the same thing is only at first, every ten seconds, and when it is done. An
 * engine without a terminal prints every message as a line, and does not tell its providers that it has none.
 */
function seldom(report: Report): Report {
  let last = { message: "", doing: "", at: 0 };
  return (message) => {
    const doing = message.replace(HOW_FAR, "");
    const goesOn = doing !== message && doing === last.doing;
    const done = message.endsWith(" 100%") && message !== last.message;
    const at = performance.now();
    if (goesOn && !done && at - last.at < HOW_FAR_EVERY_MS) return;
    last = { message, doing, at };
    report(message);
  };
}

/** Shows messages as the status of a resource while it is being worked on. */
export const reporter = (urn: string): Report => seldom(sender(urn, engineProto.LogSeverity.INFO, true));

/** Shows warnings that stay on the screen. */
export const warner = (urn: string): Report => sender(urn, engineProto.LogSeverity.WARNING, false);

export function messagesOf(urn: string): Messages {
  const report = reporter(urn);
  return {
    report,
    progress: (doing, percent) => report(`${doing}: ${percent}%`),
    info: sender(urn, engineProto.LogSeverity.INFO, false),
    warn: warner(urn),
  };
}

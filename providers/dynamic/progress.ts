import grpc from "@grpc/grpc-js";
import engineGrpc from "@pulumi/pulumi/proto/engine_grpc_pb.js";
import engineProto from "@pulumi/pulumi/proto/engine_pb.js";

/** Tells the user what is being done, while it is being done. */
export type Report = (message: string) => void;

/** How a resource speaks to the user. */
export interface Says {
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

let sent: Promise<unknown> = Promise.resolve();

function sender(urn: string, severity: Severity, ephemeral: boolean): Report {
  return (message) => {
    const client = engineClient();
    if (!client) return;
    const request = new engineProto.LogRequest();
    request.setSeverity(severity);
    request.setUrn(urn);
    request.setMessage(message);
    request.setEphemeral(ephemeral);
    // One after the other: calls that are under way together may overtake each other. Progress that cannot be shown is no
    // reason to fail.
    sent = sent.then(() => new Promise<void>((resolve) => client.log(request, () => resolve())));
  };
}

/** Shows messages as the status of a resource while it is being worked on. */
export const reporter = (urn: string): Report => sender(urn, engineProto.LogSeverity.INFO, true);

/** Shows warnings that stay on the screen. */
export const warner = (urn: string): Report => sender(urn, engineProto.LogSeverity.WARNING, false);

/** How often the progress of one thing is shown, in milliseconds: where there is no terminal, each time is a line of a log. */
const PROGRESS_MS = 10_000;

export function saysOf(urn: string): Says {
  const report = reporter(urn);
  let shown = { doing: "", at: 0 };
  return {
    report,
    progress(doing, percent) {
      const now = performance.now();
      if (doing === shown.doing && now - shown.at < PROGRESS_MS && percent < 100) return;
      shown = { doing, at: now };
      report(`${doing}: ${percent}%`);
    },
    info: sender(urn, engineProto.LogSeverity.INFO, false),
    warn: warner(urn),
  };
}

import grpc from "@grpc/grpc-js";
import engineGrpc from "@pulumi/pulumi/proto/engine_grpc_pb.js";
import engineProto from "@pulumi/pulumi/proto/engine_pb.js";

/** Tells the user what is being done, while it is being done. */
export type Report = (message: string) => void;

let engine: InstanceType<typeof engineGrpc.EngineClient> | undefined;

/** The engine's address is the first argument of the dynamic-provider host; without one (unit tests) nobody listens. */
function engineClient() {
  const address = process.argv[2];
  if (engine === undefined && address && /^[\w.-]+:\d+$/.test(address)) {
    engine = new engineGrpc.EngineClient(address, grpc.credentials.createInsecure());
  }
  return engine;
}

function sender(
  urn: string,
  severity: Parameters<InstanceType<typeof engineProto.LogRequest>["setSeverity"]>[0],
  ephemeral: boolean,
): Report {
  const client = engineClient();
  return (message) => {
    if (!client) return;
    const request = new engineProto.LogRequest();
    request.setSeverity(severity);
    request.setUrn(urn);
    request.setMessage(message);
    request.setEphemeral(ephemeral);
    // What cannot be shown is no reason to fail.
    client.log(request, () => undefined);
  };
}

let sent: Promise<unknown> = Promise.resolve();

/** One message after the other: calls that are under way together may overtake each other. */
function send(request: InstanceType<typeof engineProto.LogRequest>): void {
  const client = engineClient();
  if (!client) return;
  // Progress that cannot be shown is no reason to fail.
  sent = sent.then(() => new Promise<void>((resolve) => client.log(request, () => resolve())));
}

/** Shows messages as the status of a resource while it is being worked on. */
export function reporter(urn: string): Report {
  return (message) => {
    const request = new engineProto.LogRequest();
    request.setSeverity(engineProto.LogSeverity.INFO);
    request.setUrn(urn);
    request.setMessage(message);
    request.setEphemeral(true);
    send(request);
  };
}

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

/** Shows messages as the status of a resource while it is being worked on. */
export function reporter(urn: string): Report {
  const client = engineClient();
  return (message) => {
    if (!client) return;
    const request = new engineProto.LogRequest();
    request.setSeverity(engineProto.LogSeverity.INFO);
    request.setUrn(urn);
    request.setMessage(message);
    request.setEphemeral(true);
    // Progress that cannot be shown is no reason to fail.
    client.log(request, () => undefined);
  };
}

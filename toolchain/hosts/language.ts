// Pulumi's language host for Node: the gRPC service that the engine asks to run a program. The official one is a Go
// program whose module is on no module proxy; the protocol comes with the SDK.

import { flushCompileCache } from "node:module";
import grpc from "@grpc/grpc-js";
import services from "@pulumi/pulumi/proto/language_grpc_pb.js";
import language from "@pulumi/pulumi/proto/language_pb.js";
import plugin from "@pulumi/pulumi/proto/plugin_pb.js";
import { version as sdkVersion } from "@pulumi/pulumi/version.js";
import empty from "google-protobuf/google/protobuf/empty_pb.js";
import { dependencies, requiredPlugins } from "./packages.ts";
import { dieWithParent } from "./parent.ts";
import { Program, type ProgramOptions, type ProgramRun } from "./program.ts";

/** The last argument is the engine's own gRPC address. */
const engineAddress = process.argv.at(-1) ?? "";
const running = new Set<Program>();

type Handler<Request, Response> = grpc.handleUnaryCall<Request, Response>;

const handshake: Handler<language.LanguageHandshakeRequest, language.LanguageHandshakeResponse> = (_call, reply) =>
  reply(null, new language.LanguageHandshakeResponse());

const getPluginInfo: Handler<empty.Empty, plugin.PluginInfo> = (_call, reply) =>
  reply(null, new plugin.PluginInfo().setVersion(sdkVersion));

const getRequiredPackages: Handler<language.GetRequiredPackagesRequest, language.GetRequiredPackagesResponse> = (
  call,
  reply,
) =>
  answer(reply, () => {
    const found = requiredPlugins(call.request.getInfo()?.getProgramDirectory() ?? process.cwd());
    return new language.GetRequiredPackagesResponse().setPackagesList(
      found.map(({ name, version, server }) =>
        new plugin.PackageDependency().setKind("resource").setName(name).setVersion(version).setServer(server),
      ),
    );
  });

const about: Handler<language.AboutRequest, language.AboutResponse> = (_call, reply) =>
  reply(null, new language.AboutResponse().setExecutable(process.execPath).setVersion(process.version));

const getProgramDependencies: Handler<
  language.GetProgramDependenciesRequest,
  language.GetProgramDependenciesResponse
> = (call, reply) =>
  answer(reply, () => {
    const found = dependencies(call.request.getInfo()?.getProgramDirectory() ?? process.cwd());
    return new language.GetProgramDependenciesResponse().setDependenciesList(
      found.map(({ name, version }) => new language.DependencyInfo().setName(name).setVersion(version)),
    );
  });

const installDependencies = (call: grpc.ServerWritableStream<unknown, unknown>): void => {
  call.emit("error", { code: grpc.status.UNIMPLEMENTED, details: "run `npm ci`: this host installs nothing" });
};

const run: Handler<language.RunRequest, language.RunResponse> = async (call, reply) => {
  try {
    const program = new Program(describe(call.request));
    running.add(program);
    call.on("cancelled", () => program.stop());
    const outcome = await program.outcome;
    running.delete(program);
    const response = new language.RunResponse();
    if (!outcome.ok && outcome.bail) response.setBail(true);
    else if (!outcome.ok) response.setError(outcome.error);
    reply(null, response);
  } catch (error) {
    reply({ code: grpc.status.UNKNOWN, details: messageOf(error) });
  }
};

const cancel: Handler<empty.Empty, empty.Empty> = (_call, reply) => {
  for (const program of running) program.stop();
  reply(null, new empty.Empty());
};

function describe(request: language.RunRequest): ProgramRun {
  const info = request.getInfo();
  return {
    organization: request.getOrganization(),
    project: request.getProject(),
    stack: request.getStack(),
    rootDirectory: info?.getRootDirectory() ?? request.getPwd(),
    programDirectory: info?.getProgramDirectory() ?? request.getPwd(),
    entryPoint: info?.getEntryPoint() ?? request.getProgram(),
    pwd: request.getPwd(),
    args: request.getArgsList(),
    config: Object.fromEntries(request.getConfigMap().toArray()),
    configSecretKeys: request.getConfigsecretkeysList(),
    dryRun: request.getDryrun(),
    parallel: request.getParallel(),
    monitorAddress: request.getMonitorAddress(),
    engineAddress,
    options: (info?.getOptions()?.toJavaScript() ?? {}) as ProgramOptions,
  };
}

function answer<T>(reply: grpc.sendUnaryData<T>, make: () => T): void {
  try {
    reply(null, make());
  } catch (error) {
    reply({ code: grpc.status.UNKNOWN, details: messageOf(error) });
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

function killAll(): void {
  for (const program of running) program.kill();
}

// Whatever is not in this list answers UNIMPLEMENTED by itself.
const server = new grpc.Server({ "grpc.max_receive_message_length": -1, "grpc.max_send_message_length": -1 });
server.addService(services.LanguageRuntimeService, {
  handshake,
  getPluginInfo,
  getRequiredPackages,
  about,
  getProgramDependencies,
  installDependencies,
  run,
  cancel,
});
server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, port) => {
  if (error !== null) throw error;
  // The engine reads the port from the first line.
  process.stdout.write(`${port}\n`);
  // Not at exit: the engine may kill this process.
  flushCompileCache();
});
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.on(signal, () => {
    killAll();
    process.exit(1);
  });
}
dieWithParent(killAll);

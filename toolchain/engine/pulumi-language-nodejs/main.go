// Pulumi's language host for Node: the gRPC service that the engine asks what a program needs, and to run it. Pulumi's own is on
// no module proxy. The engine gives its address as the last argument, and reads the port from the first line printed.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"

	"github.com/pulumi/pulumi/sdk/v3/go/common/util/rpcutil"
	"github.com/pulumi/pulumi/sdk/v3/go/common/version"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
)

func main() {
	host := &host{engine: os.Args[len(os.Args)-1], programs: newPrograms()}
	server, err := rpcutil.ServeWithOptions(rpcutil.ServeOptions{Init: func(server *grpc.Server) error {
		pulumirpc.RegisterLanguageRuntimeServer(server, host)
		return nil
	}})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(server.Port)

	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGINT, syscall.SIGTERM)
	select {
	case <-stop:
	case <-engineEnded():
	case err := <-server.Done:
		fmt.Fprintln(os.Stderr, err)
	}
	host.programs.kill()
	os.Exit(1)
}

// The engine ends its hosts itself, but not if it is killed. It holds the other end of their standard input, and writes nothing
// to it.
func engineEnded() <-chan struct{} {
	ended := make(chan struct{})
	// Whoever starts a host by hand may give it a terminal or a file.
	stdin, err := os.Stdin.Stat()
	if err == nil && stdin.Mode()&(os.ModeNamedPipe|os.ModeSocket) != 0 {
		go func() {
			if _, err := io.Copy(io.Discard, os.Stdin); err == nil {
				close(ended)
			}
		}()
	}
	return ended
}

// What is not here answers UNIMPLEMENTED.
type host struct {
	pulumirpc.UnimplementedLanguageRuntimeServer
	engine   string
	programs *programs
}

func (*host) Handshake(context.Context, *pulumirpc.LanguageHandshakeRequest) (*pulumirpc.LanguageHandshakeResponse, error) {
	return &pulumirpc.LanguageHandshakeResponse{}, nil
}

func (*host) GetPluginInfo(context.Context, *emptypb.Empty) (*pulumirpc.PluginInfo, error) {
	return &pulumirpc.PluginInfo{Version: version.Version}, nil
}

func (*host) GetRequiredPackages(
	_ context.Context, request *pulumirpc.GetRequiredPackagesRequest,
) (*pulumirpc.GetRequiredPackagesResponse, error) {
	plugins, err := requiredPlugins(request.GetInfo().GetProgramDirectory())
	return &pulumirpc.GetRequiredPackagesResponse{Packages: plugins}, err
}

func (*host) GetProgramDependencies(
	_ context.Context, request *pulumirpc.GetProgramDependenciesRequest,
) (*pulumirpc.GetProgramDependenciesResponse, error) {
	found, err := dependencies(request.GetInfo().GetProgramDirectory())
	return &pulumirpc.GetProgramDependenciesResponse{Dependencies: found}, err
}

func (*host) About(context.Context, *pulumirpc.AboutRequest) (*pulumirpc.AboutResponse, error) {
	node, err := exec.LookPath("node")
	if err != nil {
		return nil, err
	}
	found, err := exec.Command(node, "--version").Output()
	return &pulumirpc.AboutResponse{Executable: node, Version: strings.TrimSpace(string(found))}, err
}

func (*host) InstallDependencies(
	*pulumirpc.InstallDependenciesRequest, grpc.ServerStreamingServer[pulumirpc.InstallDependenciesResponse],
) error {
	return status.Error(codes.Unimplemented, "run `npm ci`: this host installs nothing")
}

func (host *host) Run(ctx context.Context, request *pulumirpc.RunRequest) (*pulumirpc.RunResponse, error) {
	return host.programs.run(ctx, request, host.engine)
}

func (host *host) Cancel(context.Context, *emptypb.Empty) (*emptypb.Empty, error) {
	host.programs.stop()
	return &emptypb.Empty{}, nil
}

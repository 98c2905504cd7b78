package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
)

// How the SDK says "I failed, and the user has been told why".
const bailExitCode = 32

// A program that was asked to stop gets this long before it is killed.
const grace = 5 * time.Second

// The programs that run (one, as the engine is today), each with what asks it to stop.
type programs struct {
	mutex   sync.Mutex
	running map[*exec.Cmd]context.CancelFunc
}

func newPrograms() *programs {
	return &programs{running: map[*exec.Cmd]context.CancelFunc{}}
}

// Runs a program to its end, by the runner that its own SDK brings along.
func (programs *programs) run(
	ctx context.Context, request *pulumirpc.RunRequest, engine string,
) (*pulumirpc.RunResponse, error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	command, err := command(ctx, request, engine)
	if err != nil {
		return nil, err
	}
	programs.mutex.Lock()
	if err = command.Start(); err == nil {
		programs.running[command] = stop
	}
	programs.mutex.Unlock()
	if err != nil {
		return nil, err
	}
	// How it ended is in its state; the error says the same once more.
	_ = command.Wait()
	programs.mutex.Lock()
	delete(programs.running, command)
	programs.mutex.Unlock()
	switch state := command.ProcessState; {
	case state.Success():
		return &pulumirpc.RunResponse{}, nil
	case state.ExitCode() == bailExitCode:
		return &pulumirpc.RunResponse{Bail: true}, nil
	default:
		return &pulumirpc.RunResponse{Error: fmt.Sprintf("the program ended with %s", state)}, nil
	}
}

// Asks all to stop.
func (programs *programs) stop() {
	programs.mutex.Lock()
	defer programs.mutex.Unlock()
	for _, stop := range programs.running {
		stop()
	}
}

// Ends all at once. This process ends, too: the lock is kept, so that no program starts any more.
func (programs *programs) kill() {
	programs.mutex.Lock()
	for command := range programs.running {
		_ = command.Process.Kill()
	}
}

func command(ctx context.Context, request *pulumirpc.RunRequest, engine string) (*exec.Cmd, error) {
	info := request.GetInfo()
	modules, err := nearest(info.ProgramDirectory, "node_modules/@pulumi/pulumi")
	if err != nil {
		return nil, fmt.Errorf("%w: run `npm ci`", err)
	}
	options := info.Options.AsMap()
	nodeArguments, _ := options["nodeargs"].(string)
	arguments := append(strings.Fields(nodeArguments), filepath.Join(modules, "cmd", "run"),
		"--monitor="+request.MonitorAddress,
		"--engine="+engine,
		"--organization="+request.Organization,
		"--project="+request.Project,
		"--root-directory="+info.RootDirectory,
		"--stack="+request.Stack,
		"--pwd="+request.Pwd,
		fmt.Sprintf("--parallel=%d", request.Parallel),
	)
	if request.DryRun {
		arguments = append(arguments, "--dry-run")
	}
	arguments = append(append(arguments, either(info.EntryPoint, ".")), request.Args...)

	command := exec.CommandContext(ctx, "node", arguments...)
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGTERM) }
	command.WaitDelay = grace
	command.Dir = request.Pwd
	command.Env, err = environment(request, options)
	// The engine reads this process's output and shows it as the program's.
	command.Stdout, command.Stderr = os.Stdout, os.Stderr
	return command, err
}

func environment(request *pulumirpc.RunRequest, options map[string]any) ([]string, error) {
	// Nothing is an empty map and an empty list to the SDK, not null.
	config, err := json.Marshal(maps.Collect(maps.All(request.Config)))
	if err != nil {
		return nil, err
	}
	secretKeys, err := json.Marshal(append([]string{}, request.ConfigSecretKeys...))
	if err != nil {
		return nil, err
	}
	// Pulumi's own rule: a program is TypeScript for its compiler unless it says `typescript: false`.
	typescript := options["typescript"] != false
	return append(os.Environ(),
		"PULUMI_ORGANIZATION="+request.Organization,
		"PULUMI_PROJECT="+request.Project,
		"PULUMI_STACK="+request.Stack,
		"PULUMI_CONFIG="+string(config),
		"PULUMI_CONFIG_SECRET_KEYS="+string(secretKeys),
		fmt.Sprintf("PULUMI_NODEJS_TYPESCRIPT=%t", typescript),
	), nil
}

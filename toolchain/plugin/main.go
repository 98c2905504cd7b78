// The proxmoxve resource plugin: bpg's Terraform provider for Proxmox VE behind Pulumi's bridge.
//
// Called as `pulumi-resource-proxmoxve schema --out DIR` it writes the two files that it needs when it serves: the
// package schema and the bridge's metadata. They stand beside the executable; one program for both
// jobs means that Go compiles and links everything once.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	pfbridge "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/pf/tfbridge"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/pf/tfgen"
)

func main() {
	ctx := context.Background()
	if len(os.Args) > 1 && os.Args[1] == "schema" {
		tfgen.MainWithMuxer(packageName, providerInfo(ctx, []byte("{}")))
		return
	}
	endWithEngine()
	schema := mustRead("schema.json")
	pfbridge.MainWithMuxer(ctx, packageName, providerInfo(ctx, mustRead("bridge-metadata.json")), schema)
}

// endWithEngine ends this process when the engine ends. An engine that is killed tells nobody; but it holds the other end of its
// plugins' standard input, and writes nothing to it. The health check of this version of Pulumi's library finds out as well, after
// up to five minutes, but stops nothing.
func endWithEngine() {
	// Whoever starts a plugin by hand may give it a terminal or a file.
	stdin, err := os.Stdin.Stat()
	if err != nil || stdin.Mode()&(os.ModeNamedPipe|os.ModeSocket) == 0 {
		return
	}
	go func() {
		if _, err := io.Copy(io.Discard, os.Stdin); err == nil {
			os.Exit(1)
		}
	}()
}

func mustRead(name string) []byte {
	executable, err := os.Executable()
	if err == nil {
		executable, err = filepath.EvalSymlinks(executable)
	}
	var content []byte
	if err == nil {
		content, err = os.ReadFile(filepath.Join(filepath.Dir(executable), name))
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s is missing beside the plugin: %v\n", name, err)
		os.Exit(1)
	}
	return content
}

// The proxmoxve resource plugin: bpg's Terraform provider for Proxmox VE behind Pulumi's bridge.
//
// Called as `pulumi-resource-proxmoxve schema --out DIR` it writes the two files that it needs when it serves: the
// package schema and the bridge's metadata. They stand beside the executable; one program for both
// jobs means that Go compiles and links everything once.
package main

import (
	"context"
	"fmt"
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
	schema := mustRead("schema.json")
	pfbridge.MainWithMuxer(ctx, packageName, providerInfo(ctx, mustRead("bridge-metadata.json")), schema)
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

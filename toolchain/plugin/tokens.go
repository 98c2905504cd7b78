package main

import (
	"fmt"
	"strings"

	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"
	"github.com/pulumi/pulumi/sdk/v3/go/common/tokens"
)

const (
	packageName  = "proxmoxve"
	legacyPrefix = "proxmox_virtual_environment_"
	prefix       = "proxmox_"
)

// tokenStrategy names resources and functions as the published npm package does.
func tokenStrategy() tfbridge.Strategy {
	return tfbridge.Strategy{
		Resource: func(name string, resource *tfbridge.ResourceInfo) error {
			module, member, err := split(name)
			resource.Tok = tokens.Type(token(module, member))
			return err
		},
		DataSource: func(name string, source *tfbridge.DataSourceInfo) error {
			module, member, err := split(name)
			source.Tok = tokens.ModuleMember(functionToken(module, member))
			return err
		},
	}
}

// split turns a Terraform name into a Pulumi module and type: every word but the last is a module,
// a name of one word lives in "index", and the older of two generations of a name ends in "Legacy".
func split(name string) (module, member string, err error) {
	rest, suffix := "", ""
	switch {
	case strings.HasPrefix(name, legacyPrefix):
		rest, suffix = strings.TrimPrefix(name, legacyPrefix), "Legacy"
	case strings.HasPrefix(name, prefix):
		rest = strings.TrimPrefix(name, prefix)
	default:
		return "", "", fmt.Errorf("%s: does not start with %q", name, prefix)
	}
	words := strings.Split(rest, "_")
	last := len(words) - 1
	module = "index"
	if last > 0 {
		module = strings.Join(words[:last], "/")
	}
	return module, capital(words[last]) + suffix, nil
}

func token(module, member string) string {
	return fmt.Sprintf("%s:%s/%s:%s", packageName, module, small(member), member)
}

func functionToken(module, member string) string {
	return fmt.Sprintf("%s:%s/get%s:get%s", packageName, module, member, member)
}

func capital(word string) string { return strings.ToUpper(word[:1]) + word[1:] }

func small(word string) string { return strings.ToLower(word[:1]) + word[1:] }

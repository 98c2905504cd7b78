package main

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
)

// What is read of a package.json.
type manifest struct {
	Name            string
	Version         string
	Dependencies    map[string]string
	DevDependencies map[string]string
	Pulumi          struct {
		Resource              bool
		Name, Version, Server string
	}
}

// The plugins of all installed packages that say in their package.json that they have one.
func requiredPlugins(program string) ([]*pulumirpc.PackageDependency, error) {
	modules, err := nearest(program, "node_modules")
	if err != nil {
		return nil, nil
	}
	var files []string
	for _, pattern := range []string{"*/package.json", "@*/*/package.json"} {
		found, err := fs.Glob(os.DirFS(modules), pattern)
		if err != nil {
			return nil, err
		}
		files = append(files, found...)
	}
	var plugins []*pulumirpc.PackageDependency
	for _, file := range files {
		installed, err := read(filepath.Join(modules, file))
		plugin := installed.Pulumi
		// A package that can't be read is npm's business, and of no use to the engine.
		if err != nil || !plugin.Resource {
			continue
		}
		plugins = append(plugins, &pulumirpc.PackageDependency{
			Kind:    "resource",
			Name:    either(plugin.Name, strings.TrimPrefix(installed.Name, "@pulumi/")),
			Version: strings.TrimPrefix(either(plugin.Version, installed.Version), "v"),
			Server:  plugin.Server,
		})
	}
	return plugins, nil
}

// The program's direct dependencies, each with the version that is installed.
func dependencies(program string) ([]*pulumirpc.DependencyInfo, error) {
	file, err := nearest(program, "package.json")
	if err != nil {
		return nil, err
	}
	wanted, err := read(file)
	if err != nil {
		return nil, err
	}
	var found []*pulumirpc.DependencyInfo
	names := slices.Collect(maps.Keys(wanted.Dependencies))
	names = slices.AppendSeq(names, maps.Keys(wanted.DevDependencies))
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		installed, err := nearest(program, filepath.Join("node_modules", name, "package.json"))
		if err != nil {
			continue
		}
		is, err := read(installed)
		if err != nil {
			continue
		}
		found = append(found, &pulumirpc.DependencyInfo{Name: name, Version: is.Version})
	}
	return found, nil
}

// The path in this folder or in the closest one above that has it.
func nearest(folder, path string) (string, error) {
	for at := filepath.Clean(folder); ; at = filepath.Dir(at) {
		candidate := filepath.Join(at, path)
		if _, err := os.Stat(candidate); err == nil {
			return candidate, nil
		}
		if at == filepath.Dir(at) {
			return "", fmt.Errorf("there is no %s in %s or above", path, folder)
		}
	}
}

func read(file string) (manifest, error) {
	var content manifest
	text, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(text, &content)
	}
	if err != nil {
		return content, fmt.Errorf("%s: %w", file, err)
	}
	return content, nil
}

func either(first, second string) string {
	if first != "" {
		return first
	}
	return second
}

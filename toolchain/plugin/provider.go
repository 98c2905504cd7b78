package main

import (
	"context"

	"github.com/bpg/terraform-provider-proxmox/fwprovider"
	"github.com/bpg/terraform-provider-proxmox/proxmoxtf/provider"
	pfbridge "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/pf/tfbridge"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"
	sdkv2 "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfshim/sdk-v2"
)

// version is set by the linker to the version of the npm package that this plugin serves.
var version = "0.0.0"

// providerInfo describes the Terraform provider to the bridge. The provider has two halves, one on
// each of Terraform's plugin SDKs; the bridge serves both as one.
func providerInfo(ctx context.Context, metadata []byte) tfbridge.ProviderInfo {
	both := pfbridge.MuxShimWithDisjointgPF(ctx,
		sdkv2.NewProvider(provider.ProxmoxVirtualEnvironment()),
		fwprovider.New(version)(),
	)
	info := tfbridge.ProviderInfo{
		P:            both,
		Name:         "proxmox",
		Version:      version,
		GitHubOrg:    "bpg",
		Resources:    identities(both),
		MetadataInfo: tfbridge.NewProviderMetadata(metadata),
		// A stack made with this plugin can go on with the published one: the engine then finds it here.
		PluginDownloadURL: "github://api.github.com/muhlba91/pulumi-proxmoxve",
	}
	info.MustComputeTokens(tokenStrategy())
	return info
}

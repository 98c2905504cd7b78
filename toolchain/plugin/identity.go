package main

import (
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"
	shim "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfshim"
)

// renamedID is what the npm package calls a Terraform `id` that the user may state.
const renamedID = "resourceId"

// publishedOtherwise lists those that the npm package calls as the bridge would by itself.
var publishedOtherwise = map[string]bool{"proxmox_sdn_controller_evpn": true}

// identities renames every `id` that is not simply the provider's own answer, because in Pulumi that
// name belongs to the engine. Some of them are integers in Terraform; Pulumi's ids are strings.
func identities(provider shim.Provider) map[string]*tfbridge.ResourceInfo {
	resources := map[string]*tfbridge.ResourceInfo{}
	provider.ResourcesMap().Range(func(name string, resource shim.Resource) bool {
		id, ok := resource.Schema().GetOk("id")
		if ok && !publishedOtherwise[name] && (id.Required() || id.Optional() || id.Type() != shim.TypeString) {
			resources[name] = &tfbridge.ResourceInfo{
				Fields:    map[string]*tfbridge.SchemaInfo{"id": {Name: renamedID, Type: "string"}},
				ComputeID: tfbridge.DelegateIDField(renamedID, packageName, "https://github.com/bpg/terraform-provider-proxmox"),
			}
		}
		return true
	})
	return resources
}

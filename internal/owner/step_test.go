package owner_test

import (
	"testing"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/owner"
)

// A fix names who writes an object, and what to change in its place.
func TestStep(t *testing.T) {
	secret := finding.In("secret", "istio-system", "cacerts")
	for _, c := range []struct {
		owner owner.Owner
		want  string
	}{
		{
			owner.Owner{Tool: owner.CertManager, Kind: "certificates.cert-manager.io", Namespace: "istio-system", Name: "ca"},
			"secret istio-system/cacerts is written by cert-manager, which undoes changes by hand. Change Certificate istio-system/ca instead: " +
				"kubectl --context=east -n istio-system edit certificates.cert-manager.io/ca",
		},
		{
			owner.Owner{Tool: owner.ExternalSecrets, Kind: "externalsecrets.external-secrets.io", Namespace: "istio-system", Name: "ca"},
			"secret istio-system/cacerts is written by External Secrets, which undoes changes by hand. " +
				"Change the content in the store that ExternalSecret istio-system/ca reads: " +
				"kubectl --context=east -n istio-system describe externalsecrets.external-secrets.io ca",
		},
		{
			owner.Owner{Tool: owner.SealedSecrets, Kind: "sealedsecrets.bitnami.com", Namespace: "istio-system", Name: "ca"},
			"secret istio-system/cacerts is written by Sealed Secrets, which undoes changes by hand. " +
				"Seal the new content with kubeseal, as SealedSecret istio-system/ca.",
		},
		{
			owner.Owner{Tool: owner.ArgoCD, Kind: "Application", Name: "mesh"},
			"secret istio-system/cacerts is written by Argo CD, which undoes changes by hand. Change it in the repository of Application mesh.",
		},
		{
			owner.Owner{Tool: owner.Helm, Kind: "release", Namespace: "istio-system", Name: "istiod"},
			"secret istio-system/cacerts is written by Helm, and its next run undoes changes by hand. " +
				"Change it in the values of release istio-system/istiod, and upgrade that.",
		},
		{owner.Owner{Tool: owner.Terraform}, "secret istio-system/cacerts is written by Terraform, and its next run undoes changes by hand. Change it there."},
		{
			owner.Owner{Tool: owner.Controller, Kind: "OnePasswordItem.onepassword.com", Name: "ca"},
			"secret istio-system/cacerts is written by a controller, which undoes changes by hand. Change OnePasswordItem ca instead.",
		},
	} {
		step := c.owner.Step("east", secret)
		got := step.Say
		for _, command := range step.Run {
			got += " " + command.String()
		}
		if got != c.want {
			t.Errorf("%s\nwant %s", got, c.want)
		}
	}
}

// Of what people write themselves nobody is named.
func TestSteps(t *testing.T) {
	secret := finding.In("secret", "istio-system", "cacerts")
	if steps := (owner.Owner{}).Steps("east", secret); len(steps) > 0 {
		t.Errorf("%+v", steps)
	}
	if steps := (owner.Owner{Tool: owner.Pulumi}).Steps("east", secret); len(steps) != 1 || steps[0].Say == "" {
		t.Errorf("%+v", steps)
	}
}

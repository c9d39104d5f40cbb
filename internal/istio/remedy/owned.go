package remedy

import (
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/owner"
)

// AtOwner is the step that says who writes an object, and where to change it: what is
// changed by hand is lost. What has to be changed, the steps before it say. It is for
// owners that are known.
func AtOwner(context string, object finding.Object, o owner.Owner) finding.Step {
	undone := "%s is written by %s, and its next run undoes changes by hand. "
	if o.WritesAgain() {
		undone = "%s is written by %s, which undoes changes by hand. "
	}
	say := func(where string, args ...any) finding.Step {
		return finding.Say(undone+where, append([]any{object, o.Tool}, args...)...)
	}
	named := o.Name
	if o.Namespace != "" {
		named = o.Namespace + "/" + named
	}
	see := func(verb string) finding.Command {
		args := []string{verb, o.Kind + "/" + o.Name}
		if verb == "describe" {
			args = []string{verb, o.Kind, o.Name}
		}
		if o.Namespace != "" {
			args = append([]string{"-n", o.Namespace}, args...)
		}
		return finding.Kubectl(context, args...)
	}
	switch {
	case o.Name == "":
		return say("Change it there.")
	case o.Tool == owner.ExternalSecrets, o.Tool == owner.VaultOperator:
		return say("Change the content in the store that %s %s reads:", o.Word(), named).By(see("describe"))
	case o.Tool == owner.SealedSecrets:
		return say("Seal the new content with kubeseal, as SealedSecret %s.", named)
	case o.InCluster() && o.Tool != owner.Controller && o.Tool != owner.Flux:
		return say("Change %s %s instead:", o.Word(), named).By(see("edit"))
	case o.Tool == owner.ArgoCD, o.Tool == owner.Flux:
		return say("Change it in the repository of %s %s.", o.Word(), named)
	case o.Tool == owner.Helm:
		return say("Change it in the values of release %s, and upgrade that.", named)
	default:
		return say("Change %s %s instead.", o.Word(), named)
	}
}

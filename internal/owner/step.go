package owner

import "github.com/kubectl-mesh/kubectl-mesh/internal/finding"

// Steps are the Step, or none for an object that people write themselves.
func (o Owner) Steps(context string, object finding.Object) []finding.Step {
	if !o.Known() {
		return nil
	}
	return []finding.Step{o.Step(context, object)}
}

// Step is the step of a fix that says who writes an object, and where to change it: what is
// changed by hand is lost. What has to be changed, the steps beside it say. It is for
// owners that are known.
func (o Owner) Step(context string, object finding.Object) finding.Step {
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
	case o.Tool == ExternalSecrets, o.Tool == VaultOperator:
		return say("Change the content in the store that %s %s reads:", o.Word(), named).By(see("describe"))
	case o.Tool == SealedSecrets:
		return say("Seal the new content with kubeseal, as SealedSecret %s.", named)
	case o.InCluster() && o.Tool != Controller && o.Tool != Flux:
		return say("Change %s %s instead:", o.Word(), named).By(see("edit"))
	case o.Tool == ArgoCD, o.Tool == Flux:
		return say("Change it in the repository of %s %s.", o.Word(), named)
	case o.Tool == Helm:
		return say("Change it in the values of release %s, and upgrade that.", named)
	default:
		return say("Change %s %s instead.", o.Word(), named)
	}
}

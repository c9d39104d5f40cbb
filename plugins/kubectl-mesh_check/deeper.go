package main

import (
	"slices"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/verdict"
)

// verbs are the commands that tell more of an area. Of the others the page of the code tells
// more.
var verbs = map[finding.Area][]string{
	finding.Trust:     {"mesh-certs", "verify"},
	finding.Networks:  {"mesh-network", "map"},
	finding.Discovery: {"mesh-endpoints", "secrets"},
	finding.Services:  {"mesh-endpoints", "verify"},
}

// deeper is the command that tells more of a cause, about the clusters that flags name.
func deeper(c verdict.Cause, flags []string) []finding.Command {
	entry, err := finding.Lookup(string(c.Code))
	if err != nil {
		return nil
	}
	verb := verbs[entry.Area]
	object := c.Findings[0].Object
	switch {
	case verb == nil:
		return []finding.Command{finding.Shell("kubectl", "mesh-check", "explain", string(c.Code))}
	case entry.Area == finding.Services && object.Kind == "service" && object.Namespace != "":
		verb = []string{"mesh-endpoints", "diagnose", object.Name + "." + object.Namespace}
	}
	return []finding.Command{finding.Shell(slices.Concat([]string{"kubectl"}, verb, flags)...)}
}

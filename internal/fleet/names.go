package fleet

import "strings"

// longName is how many letters a context's name may have to be shown as it is.
const longName = 24

// ShortNames are names for contexts whose own ones are long, as those of EKS
// (arn:aws:eks:eu-west-1:111122223333:cluster/east) and GKE (gke_project_europe-west1_east) are: the
// shortest tail after a separator that is no tail, and no name, of another context. A
// context that is not in the map is shown as it is.
func ShortNames(contexts []string) map[string]string {
	out := map[string]string{}
	for _, name := range contexts {
		if len(name) <= longName {
			continue
		}
		for i := len(name) - 1; i > 0; i-- {
			if !strings.ContainsRune("/:_@", rune(name[i-1])) {
				continue
			}
			if tail := name[i:]; unique(tail, name, contexts) {
				out[name] = tail
				break
			}
		}
	}
	return out
}

// unique reports whether a tail of a context's name means no other one.
func unique(tail, name string, contexts []string) bool {
	for _, other := range contexts {
		if other != name && (other == tail || strings.HasSuffix(other, tail)) {
			return false
		}
	}
	return true
}

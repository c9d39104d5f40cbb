// Package dump keeps facts in files: for each cluster a folder of ordinary
// Kubernetes manifests, and an index that says when they were read and what
// could not be. Folders that people made by hand, with "kubectl get -o yaml",
// are read too.
package dump

import (
	"crypto/sha256"
	"fmt"
	"time"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
)

// IndexFile is the name of the index in a dump's folder.
const IndexFile = "fleet.yaml"

const (
	apiVersion = "kubectl-mesh.dev/v1"
	kind       = "Fleet"
)

// index is the content of IndexFile.
type index struct {
	APIVersion string              `json:"apiVersion"`
	Kind       string              `json:"kind"`
	At         time.Time           `json:"at"`
	Clusters   []indexCluster      `json:"clusters"`
	Beyond     []facts.BeyondReach `json:"beyond,omitempty"`
}

type indexCluster struct {
	Context         string           `json:"context"`
	Folder          string           `json:"folder"`
	Server          string           `json:"server"`
	SystemNamespace string           `json:"systemNamespace"`
	Unreached       *facts.Unreached `json:"unreached,omitempty"`
	// Reads gives the outcome of each row that was asked for, by the name of its file.
	Reads map[string]indexRead `json:"reads,omitempty"`
	// Files are the digests of the files in the folder, by their names; nil in dumps that do
	// not say it.
	Files map[string]string `json:"files,omitzero"`
}

// digest is what the index says of a file's content.
func digest(text []byte) string { return fmt.Sprintf("sha256:%x", sha256.Sum256(text)) }

type indexRead struct {
	State  facts.State `json:"state"`
	Reason string      `json:"reason,omitempty"`
	// Objects is how many there are; nil in dumps that do not say it.
	Objects *int `json:"objects,omitempty"`
	// Served is the version of the API in which they were read, where that is not the first that is asked for.
	Served string `json:"served,omitempty"`
}

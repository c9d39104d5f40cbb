// Package dump keeps facts in files: for each cluster a folder of ordinary
// Kubernetes manifests, and an index that says when they were read and what
// could not be. Folders that people made by hand, with "kubectl get -o yaml",
// are read too.
package dump

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"time"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/input"
	"github.com/kubectl-mesh/kubectl-mesh/internal/podaccess"
)

// IndexFile is the name of the index in a dump's folder.
const IndexFile = "fleet.yaml"

const (
	apiVersion = "kubectl-mesh.dev/v1"
	kind       = "Fleet"
)

// Index is the content of IndexFile.
type Index struct {
	APIVersion string              `json:"apiVersion"`
	Kind       string              `json:"kind"`
	At         time.Time           `json:"at"`
	Clusters   []IndexedCluster    `json:"clusters"`
	Beyond     []facts.BeyondReach `json:"beyond,omitempty"`
}

// IndexedCluster is what the index says of a cluster.
type IndexedCluster struct {
	Context         string           `json:"context"`
	Folder          string           `json:"folder"`
	Server          string           `json:"server"`
	SystemNamespace string           `json:"systemNamespace"`
	Unreached       *facts.Unreached `json:"unreached,omitempty"`
	// Reads gives the outcome of each row that was asked for, by the name of its file.
	Reads map[string]IndexedRead `json:"reads,omitempty"`
	// Files are the digests of the files in the folder, by their names; nil in dumps that do
	// not say it.
	Files map[string]string `json:"files,omitzero"`
	// Answers are what pods said when they were asked, each in a file that is among Files.
	Answers []IndexedAnswer `json:"answers,omitempty"`
}

// IndexedAnswer says which file has what a pod said at a path.
type IndexedAnswer struct {
	Namespace string `json:"namespace"`
	Pod       string `json:"pod"`
	Path      string `json:"path"`
	File      string `json:"file"`
}

// NewIndex begins an index of clusters that were read at a time.
func NewIndex(at time.Time) Index { return Index{APIVersion: apiVersion, Kind: kind, At: at} }

// Has notes the content of a file of the cluster's folder.
func (e *IndexedCluster) Has(file string, text []byte) {
	if e.Files == nil {
		e.Files = map[string]string{}
	}
	e.Files[file] = digest(text)
}

// answers are those of a dump of one cluster, whose files are in its folder.
type answers struct {
	files *input.Files
	entry IndexedCluster
}

// Answer is what a pod said. A file that was changed is no answer.
func (a answers) Answer(pod podaccess.Pod, at string) ([]byte, error) {
	for _, e := range a.entry.Answers {
		if e.Namespace != pod.Namespace || e.Pod != pod.Name || e.Path != at {
			continue
		}
		text, err := a.files.Text(e.File)
		if err != nil {
			return nil, errors.New(missing)
		}
		if want, named := a.entry.Files[e.File]; !named || digest(text) != want {
			return nil, errChanged
		}
		return text, nil
	}
	return nil, podaccess.ErrUnanswered
}

// digest is what the index says of a file's content.
func digest(text []byte) string { return fmt.Sprintf("sha256:%x", sha256.Sum256(text)) }

// shown is digest of what was written into a sum.
func shown(sum hash.Hash) string { return fmt.Sprintf("sha256:%x", sum.Sum(nil)) }

// IndexedRead is how the read of a row ended.
type IndexedRead struct {
	State  facts.State `json:"state"`
	Reason string      `json:"reason,omitempty"`
	// Objects is how many there are; nil in dumps that do not say it.
	Objects *int `json:"objects,omitempty"`
	// Served is the version of the API in which they were read, where that is not the first that is asked for.
	Served string `json:"served,omitempty"`
}

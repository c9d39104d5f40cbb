package view

import (
	"slices"
	"time"

	"github.com/kubectl-mesh/kubectl-mesh/internal/pki"
)

// Root is one certificate that workloads take for a root.
type Root struct {
	SHA256   string    `json:"sha256"`
	Subject  string    `json:"subject"`
	Key      string    `json:"key"`
	NotAfter time.Time `json:"notAfter"`
	// Clusters are the contexts of the clusters whose workloads trust it, in
	// the fleet's order.
	Clusters []string `json:"clusters"`
}

// ClusterRoots is what one cluster's workloads trust.
type ClusterRoots struct {
	Cluster string `json:"cluster"`
	// Source is the object that the roots come from, "" when there is none.
	Source string `json:"source,omitempty"`
	// Roots are fingerprints, sorted.
	Roots []string `json:"roots"`
	// Missing says why there are no roots though the cluster answered.
	Missing string `json:"missing,omitempty"`
	// Unknown says why the roots could not be read.
	Unknown string `json:"unknown,omitempty"`
}

// Comparison is how the roots of a fleet differ.
type Comparison struct {
	// Same: every cluster has the same roots, and each trusts each other's certificates.
	Same     bool           `json:"same"`
	Clusters []ClusterRoots `json:"clusters"`
	Roots    []Root         `json:"roots"`
	// Trust holds every ordered pair of different clusters.
	Trust []Relation `json:"trust"`
}

// Trust says whether the workloads of one cluster accept the certificates that another
// cluster's workloads present.
type Trust string

// The verdicts on an ordered pair of clusters.
const (
	Trusts    Trust = "ok"
	Distrusts Trust = "broken"
	Undecided Trust = "unknown"
)

// Relation is the verdict on one ordered pair: does From trust To's certificates?
type Relation struct {
	From    string `json:"from"`
	To      string `json:"to"`
	Verdict Trust  `json:"verdict"`
	// Reason says why, in a few words.
	Reason string `json:"reason"`
}

// Hold notes that the workloads of a cluster trust roots.
func (c *Comparison) Hold(cluster string, roots []pki.Certificate) {
	for _, r := range roots {
		i := slices.IndexFunc(c.Roots, func(o Root) bool { return o.SHA256 == r.SHA256 })
		if i < 0 {
			i = len(c.Roots)
			c.Roots = append(c.Roots, Root{SHA256: r.SHA256, Subject: r.Subject(), Key: r.Key(), NotAfter: r.NotAfter.UTC()})
		}
		c.Roots[i].Clusters = append(c.Roots[i].Clusters, cluster)
	}
}

// Judge says whether all clusters have the same roots, and each trusts each other.
func (c *Comparison) Judge() {
	c.Same = !slices.ContainsFunc(c.Trust, func(r Relation) bool { return r.Verdict != Trusts })
	for _, of := range c.Clusters {
		if of.Unknown != "" || of.Missing != "" || !slices.Equal(of.Roots, c.Clusters[0].Roots) {
			c.Same = false
		}
	}
}

// Merge adds the clusters of another mesh.
func (c *Comparison) Merge(with Comparison) {
	c.Same = c.Same && with.Same
	for _, of := range with.Clusters {
		if !slices.ContainsFunc(c.Clusters, func(o ClusterRoots) bool { return o.Cluster == of.Cluster }) {
			c.Clusters = append(c.Clusters, of)
		}
	}
	for _, r := range with.Roots {
		i := slices.IndexFunc(c.Roots, func(o Root) bool { return o.SHA256 == r.SHA256 })
		if i < 0 {
			c.Roots = append(c.Roots, r)
			continue
		}
		c.Roots[i].Clusters = append(c.Roots[i].Clusters, r.Clusters...)
	}
	for _, r := range with.Trust {
		if !slices.ContainsFunc(c.Trust, func(o Relation) bool { return o.From == r.From && o.To == r.To }) {
			c.Trust = append(c.Trust, r)
		}
	}
}

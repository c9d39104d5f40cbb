package view

import (
	"slices"
	"time"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/pki"
)

// Certificate is a CA certificate of a fleet, wherever it is.
type Certificate struct {
	Subject, SHA256 string
	// Roles are what it is for: root, intermediate, signing, issuer; Clusters the contexts of those that have it.
	Roles, Clusters     []string
	NotBefore, NotAfter time.Time
}

// Short is the part of its fingerprint that a person compares.
func (c Certificate) Short() string { return pki.Short(c.SHA256) }

// Certificates are those of a fleet, each once.
type Certificates []Certificate

// Add notes that a cluster has a certificate.
func (c *Certificates) Add(cluster, role string, of pki.Certificate) {
	c.Merge(Certificates{{
		SHA256: of.SHA256, Subject: of.Subject(), NotBefore: of.NotBefore.UTC(), NotAfter: of.NotAfter.UTC(),
		Roles: []string{role}, Clusters: []string{cluster},
	}})
}

// Merge adds others.
func (c *Certificates) Merge(with Certificates) {
	for _, o := range with {
		i := slices.IndexFunc(*c, func(have Certificate) bool { return have.SHA256 == o.SHA256 })
		if i < 0 {
			*c = append(*c, o)
			continue
		}
		have := &(*c)[i]
		have.Roles = finding.Distinct(slices.Concat(have.Roles, o.Roles))
		have.Clusters = finding.Distinct(slices.Concat(have.Clusters, o.Clusters))
	}
}

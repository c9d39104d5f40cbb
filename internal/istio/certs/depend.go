package certs

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/pki"
)

// dependence is what fails without a certificate.
type dependence struct {
	// in are the clusters where something does.
	in []*authority
	// peers: what their workloads present does not verify.
	peers bool
	// istiod: their istiod does not start.
	istiod bool
	// refused are clusters that are well themselves, and whose workloads are not
	// accepted in the clusters refusing.
	refused, refusing []string
}

// effect says what fails as one sentence.
func (d dependence) effect() string {
	var parts []string
	if d.peers {
		parts = append(parts, "certificates issued by it do not verify: mTLS fails")
	}
	if len(d.refused) > 0 {
		parts = append(parts, fmt.Sprintf("certificates of %s do not verify in %s", finding.List(d.refused), finding.List(d.refusing)))
	}
	if d.istiod {
		parts = append(parts, "istiod does not come back after a restart")
	}
	return strings.Join(parts, ", and ")
}

// expiry is the look for what fails when certificates end. It keeps what it finds: most
// clusters have certificates in common.
type expiry struct {
	*trust
	uses map[*authority]use
	// presented are what presentedIn has found, and paths what lookup has.
	presented map[[2]*authority][]path
	paths     map[string][]path
}

func newExpiry(t *trust) *expiry {
	return &expiry{trust: t, uses: map[*authority]use{}, presented: map[[2]*authority][]path{}, paths: map[string][]path{}}
}

// dependence finds where a certificate is needed: where no other one leads from
// what is in use to a root.
func (e *expiry) dependence(h *held) dependence {
	var d dependence
	for _, a := range h.in {
		istiod, peers, refused := e.restsOn(a, h.Certificate)
		if !istiod && !peers && len(refused) == 0 {
			continue
		}
		d.in, d.istiod, d.peers = append(d.in, a), d.istiod || istiod, d.peers || peers
		if len(refused) > 0 {
			d.refused, d.refusing = append(d.refused, refused...), append(d.refusing, a.Context)
		}
	}
	slices.Sort(d.refused)
	d.refused = slices.Compact(d.refused)
	return d
}

// restsOn says what of a cluster fails without a certificate: the start of its
// istiod, its workloads among one another, or those of other clusters here.
func (e *expiry) restsOn(a *authority, c pki.Certificate) (istiod, peers bool, refused []string) {
	if a.current() != nil {
		istiod = e.startRestsOn(a, c)
		peers = hinges(e.presentedIn(a, a), c, e.now)
	}
	for _, other := range e.authorities {
		switch {
		case other == a || !e.use(other).current || !hinges(e.presentedIn(a, other), c, e.now):
		case a.mode == Remote: // its workloads are that one's
			peers = true
		case !hinges(e.presentedIn(other, other), c, e.now):
			refused = append(refused, other.Context)
		}
	}
	if e.signerUnknown(a) {
		// Any published root may be the one that is used, unless it was renewed.
		var alone []path
		for _, r := range a.published.Certificates {
			if sameAuthority(r, c) {
				alone = append(alone, path{r})
			}
		}
		peers = peers || hinges(alone, c, e.now)
	}
	return istiod, peers, refused
}

// use is how a cluster's CA is used, as far as it can be known.
type use struct {
	// loads: istiod would load the CA that is in the Secret.
	loads bool
	// current: it is the one that istiod runs on.
	current bool
	// start are the paths on which istiod accepts it.
	start []path
}

func (e *expiry) use(a *authority) use {
	if u, ok := e.uses[a]; ok {
		return u
	}
	var u use
	if b := a.current(); b != nil {
		u.loads = loads(b, e.now)
		u.current = u.loads && a.serves(b)
		if u.loads {
			signer, _ := b.signer()
			u.start, _ = startPaths(b, signer)
		}
	}
	e.uses[a] = u
	return u
}

// startRestsOn reports whether a cluster's istiod would not start without a
// certificate. Of the chain it looks at the end of the first certificate,
// whatever that is (security/pkg/pki/ca/ca.go, minTTL).
func (e *expiry) startRestsOn(a *authority, c pki.Certificate) bool {
	b := a.current()
	if !e.use(a).loads {
		// It does not start as it is.
		return b.signing.Contains(c) || b.chain.Contains(c) || b.root.Contains(c)
	}
	first, ok := b.chain.First()
	return ok && first.SHA256 == c.SHA256 && !e.now.Before(c.NotBefore) || hinges(e.use(a).start, c, e.now)
}

// presentedIn are the paths from what the workloads of a cluster present to the
// roots of another, or of their own.
func (e *expiry) presentedIn(a, other *authority) []path {
	paths, ok := e.presented[[2]*authority{a, other}]
	if !ok {
		paths = e.lookup(a, other)
		e.presented[[2]*authority{a, other}] = paths
	}
	return paths
}

func (e *expiry) lookup(a, other *authority) []path {
	b := other.current()
	roots := a.trusted()
	if a == other && !a.serves(b) {
		roots = b.root.Certificates // those that come with the CA
	}
	signer, ok := b.signer()
	if !ok {
		return nil
	}
	// Most clusters have the same roots: they share an answer.
	key := strings.Join(append(fingerprints(roots), other.Context), " ")
	paths, ok := e.paths[key]
	if !ok {
		paths, _ = workloadPaths(signer, b.chain.Certificates, roots)
		e.paths[key] = paths
	}
	return paths
}

// signerUnknown reports whether it is not known what leads to the roots that a
// cluster publishes: in a remote one, that is for the other clusters' istiods.
func (e *expiry) signerUnknown(a *authority) bool {
	signers := []*authority{a}
	if a.mode == Remote {
		signers = slices.DeleteFunc(slices.Clone(e.authorities), func(o *authority) bool { return len(o.istiods) == 0 })
	}
	leads := func(s *authority) bool { return len(e.presentedIn(a, s)) > 0 }
	return slices.ContainsFunc(signers, func(s *authority) bool { return !e.use(s).current }) || !slices.ContainsFunc(signers, leads)
}

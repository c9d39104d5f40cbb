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
	// in are the members where something does.
	in []*member
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
		parts = append(parts, "certificates beneath it do not verify: mTLS fails")
	}
	if len(d.refused) > 0 {
		parts = append(parts, fmt.Sprintf("certificates of %s do not verify in %s", finding.List(d.refused), finding.List(d.refusing)))
	}
	if d.istiod {
		parts = append(parts, "istiod does not come back after a restart")
	}
	return strings.Join(parts, ", and ")
}

// dependence finds where a certificate is needed: where no other one leads from
// what is in use to a root.
func (j *judgement) dependence(h *held) dependence {
	var d dependence
	for _, m := range h.in {
		istiod, peers, refused := j.restsOn(m, h.Certificate)
		if !istiod && !peers && len(refused) == 0 {
			continue
		}
		d.in, d.istiod, d.peers = append(d.in, m), d.istiod || istiod, d.peers || peers
		if len(refused) > 0 {
			d.refused, d.refusing = append(d.refused, refused...), append(d.refusing, m.Context)
		}
	}
	slices.Sort(d.refused)
	d.refused = slices.Compact(d.refused)
	return d
}

// restsOn says what of a member fails without a certificate: the start of its
// istiod, its workloads among one another, or those of other clusters here.
func (j *judgement) restsOn(m *member, c pki.Certificate) (istiod, peers bool, refused []string) {
	if m.current() != nil {
		istiod = j.startRestsOn(m, c)
		peers = hinges(j.presentedIn(m, m), c, j.now)
	}
	for _, other := range j.reached() {
		switch {
		case other == m || !j.use(other).current || !hinges(j.presentedIn(m, other), c, j.now):
		case m.mode == Remote: // its workloads are that one's
			peers = true
		case !hinges(j.presentedIn(other, other), c, j.now):
			refused = append(refused, other.Context)
		}
	}
	if j.signerUnknown(m) {
		// Any published root may be the one that counts, unless it was renewed.
		var alone []path
		for _, r := range m.published.Certificates {
			if sameAuthority(r, c) {
				alone = append(alone, path{r})
			}
		}
		peers = peers || hinges(alone, c, j.now)
	}
	return istiod, peers, refused
}

// use is how a member's CA is used, as far as it can be known.
type use struct {
	// loads: istiod would load the CA that is in the Secret.
	loads bool
	// current: it is the one that istiod runs on.
	current bool
	// start are the paths on which istiod accepts it.
	start []path
}

func (j *judgement) use(m *member) use {
	if u, ok := j.uses[m]; ok {
		return u
	}
	var u use
	if b := m.current(); b != nil {
		u.loads = loads(b, j.now)
		u.current = u.loads && m.serves(b)
		if u.loads {
			signer, _ := b.signer()
			u.start, _ = startPaths(b, signer)
		}
	}
	j.uses[m] = u
	return u
}

// startRestsOn reports whether a member's istiod would not start without a
// certificate. Of the chain it looks at the end of the first certificate,
// whatever that is (security/pkg/pki/ca/ca.go, minTTL).
func (j *judgement) startRestsOn(m *member, c pki.Certificate) bool {
	b := m.current()
	if !j.use(m).loads {
		// It does not start as it is.
		return b.signing.Contains(c) || b.chain.Contains(c) || b.root.Contains(c)
	}
	first, ok := b.chain.First()
	return ok && first.SHA256 == c.SHA256 && !j.now.Before(c.NotBefore) || hinges(j.use(m).start, c, j.now)
}

// presentedIn are the paths from what the workloads of a cluster present to the
// roots of another, or of their own.
func (j *judgement) presentedIn(m, other *member) []path {
	paths, ok := j.presented[[2]*member{m, other}]
	if !ok {
		paths = j.lookup(m, other)
		j.presented[[2]*member{m, other}] = paths
	}
	return paths
}

func (j *judgement) lookup(m, other *member) []path {
	b := other.current()
	roots := m.trusted()
	if m == other && !m.serves(b) {
		roots = b.root.Certificates // those that come with the CA
	}
	signer, ok := b.signer()
	if !ok {
		return nil
	}
	// Most members have the same roots: they share an answer.
	key := strings.Join(append(fingerprints(roots), other.Context), " ")
	paths, ok := j.paths[key]
	if !ok {
		paths, _ = workloadPaths(signer, b.chain.Certificates, roots)
		j.paths[key] = paths
	}
	return paths
}

// signerUnknown reports whether it is not known what leads to the roots that a
// cluster publishes: in a remote one, that is for the other clusters' istiods.
func (j *judgement) signerUnknown(m *member) bool {
	signers := []*member{m}
	if m.mode == Remote {
		signers = slices.DeleteFunc(j.reached(), func(o *member) bool { return len(o.istiods) == 0 })
	}
	leads := func(s *member) bool { return len(j.presentedIn(m, s)) > 0 }
	return slices.ContainsFunc(signers, func(s *member) bool { return !j.use(s).current }) || !slices.ContainsFunc(signers, leads)
}

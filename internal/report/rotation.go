package report

import (
	"fmt"

	"github.com/fatih/color"

	"github.com/kubectl-mesh/kubectl-mesh/internal/view"
)

// rotation writes who refuses whom until all proxies have renewed, and what to do instead.
func (p *Page) rotation(r *view.Rotation) {
	if r == nil {
		return
	}
	of := Clusters(r.Clusters)
	if len(r.Refusals) == 0 && len(r.Unknown) == 0 {
		p.Wrapped("", fmt.Sprintf("While proxies renew after the change of the CA of %s, none refuses another one because of it.", of))
		p.Blank()
		return
	}
	p.Wrapped("", fmt.Sprintf("While proxies renew, within about 12 hours after istiod of %s takes the new CA:", of), color.Bold)
	kinds, within := r.Within()
	for i, f := range kinds {
		where := Clusters(within[i])
		p.refusal(fmt.Sprintf("within %s, proxies%s refuse those%s", where, renewed(f.RefusingHas), renewed(f.RefusedHas)), f, len(within[i]))
	}
	kinds, across := r.Across()
	for i, f := range kinds {
		from, to := across[i].Ends(Clusters)
		from, to = from+renewed(f.RefusingHas), to+renewed(f.RefusedHas)
		p.refusal(fmt.Sprintf("proxies of %s refuse those of %s", from, to), f, len(across[i].At))
	}
	for _, u := range r.Unknown {
		p.Wrapped("  ", fmt.Sprintf("not known of %s: %s", u.Cluster, u.Reason))
	}
	p.fix(r.Fix)
	p.Blank()
}

// refusal writes a line about so many pairs; the reason is that of one.
func (p *Page) refusal(text string, f view.Refusal, pairs int) {
	if f.Lasting {
		text += ", and after that too"
	}
	if f.EnvoyOnly {
		text += " (BoringSSL, so Envoys alone; Go accepts them)"
	} else {
		text += " (BoringSSL and Go)"
	}
	if pairs == 1 {
		text += ": " + f.Reason
	}
	p.Wrapped("  ", text)
}

// renewed says of proxies what they have.
func renewed(has view.Material) string {
	return map[view.Material]string{view.Before: " that have not renewed", view.After: " that have renewed"}[has]
}

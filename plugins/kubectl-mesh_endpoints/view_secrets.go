package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/remotesecrets"
	"github.com/kubectl-mesh/kubectl-mesh/internal/report"
	"github.com/kubectl-mesh/kubectl-mesh/internal/ways"
)

var signs = map[remotesecrets.State]string{
	remotesecrets.Watches:   "✓",
	remotesecrets.Broken:    "✗",
	remotesecrets.NotNeeded: "–",
	remotesecrets.NotKnown:  "?",
}

// signTones are how the states stand out.
var signTones = map[remotesecrets.State]report.Tone{
	remotesecrets.Watches: report.Good, remotesecrets.Broken: report.Bad, remotesecrets.NotKnown: report.Noted,
}

// stateWords are the states as they are printed.
var stateWords = map[remotesecrets.State]string{
	remotesecrets.Watches: "ok", remotesecrets.Broken: "broken", remotesecrets.NotNeeded: "not needed", remotesecrets.NotKnown: "unknown",
}

// states are in the order in which they are shown, the worst first.
var states = []remotesecrets.State{remotesecrets.Broken, remotesecrets.NotKnown, remotesecrets.Watches, remotesecrets.NotNeeded}

// secretsTable writes the matrix of signs, and beneath it why what is not ok is so; wide adds a row
// for each remote secret.
func secretsTable(p *report.Page, l remotesecrets.Listing, wide bool) error {
	if len(l.Pairs) == 0 {
		p.Line("No control plane was found.")
		return nil
	}
	if m := matrix(l); p.FitsMatrix(m) {
		p.Matrix(m)
	} else {
		p.Wrapped("", pairLegend(l))
	}
	if err := reasons(p, l, wide); err != nil || !wide || len(l.Secrets) == 0 {
		return err
	}
	p.Blank()
	var secrets [][]string
	for _, s := range l.Secrets {
		expires := "never"
		switch {
		case s.Expires != nil:
			expires = s.Expires.Format("2006-01-02 15:04")
		case s.Credential != "token" || s.Identity == "":
			expires = ""
		}
		leads := s.LeadsTo
		switch {
		case leads == "" && s.UID != "":
			leads = "a cluster of uid " + s.UID
		case s.LeadsToBy == model.ByKey:
			leads += " (by its key alone)"
		}
		secrets = append(secrets, []string{
			s.Primary, s.Namespace, s.Name, s.ClusterID, s.Server, s.Credential, expires, leads, said(s), s.Tried, codes(s),
		})
	}
	columns := []string{
		"PRIMARY",
		"NAMESPACE",
		"NAME",
		"KEY",
		"SERVER",
		"CREDENTIAL",
		"EXPIRES",
		"LEADS TO",
		"ISTIOD SAYS",
		"TRIED FROM HERE",
		"CODES",
	}
	if !slices.ContainsFunc(l.Secrets, func(s remotesecrets.Secret) bool { return s.Tried != "" }) {
		columns = slices.Delete(columns, 9, 10)
		for i := range secrets {
			secrets[i] = slices.Delete(secrets[i], 9, 10)
		}
	}
	return p.Table(columns, secrets)
}

// matrix has a row for each control plane's cluster and a column for each cluster.
func matrix(l remotesecrets.Listing) report.Matrix {
	m := report.Matrix{Corner: "PRIMARY", To: l.Clusters, Legend: pairLegend(l)}
	at := map[[2]string]remotesecrets.State{}
	for _, p := range l.Pairs {
		if n := len(m.From); n == 0 || m.From[n-1] != p.Primary {
			m.From = append(m.From, p.Primary)
		}
		at[[2]string{p.Primary, p.Cluster}] = p.State
	}
	m.Cell = func(from, to int) (string, report.Tone) {
		state := at[[2]string{m.From[from], m.To[to]}]
		return signs[state], signTones[state]
	}
	return m
}

// pairLegend counts the pairs by their state, the worst first, each with its sign.
func pairLegend(l remotesecrets.Listing) string {
	count := map[remotesecrets.State]int{}
	for _, p := range l.Pairs {
		count[p.State]++
	}
	var out []string
	for _, s := range states {
		if n := count[s]; n > 0 && s != remotesecrets.NotNeeded {
			out = append(out, fmt.Sprintf("%s %d %s", signs[s], n, stateWords[s]))
		}
	}
	return strings.Join(out, ", ")
}

// reasons says why pairs are as they are: of equal reasons one row, of those that are ok none.
func reasons(p *report.Page, l remotesecrets.Listing, wide bool) error {
	pairs := slices.DeleteFunc(
		slices.Clone(l.Pairs),
		func(p remotesecrets.Pair) bool { return p.State == remotesecrets.NotNeeded || p.Reason == "" },
	)
	alike := func(i, j int) bool {
		a, b := pairs[i], pairs[j]
		return a.State == b.State && a.Reason == b.Reason && slices.Equal(a.Codes, b.Codes)
	}
	groups := ways.Gather(len(pairs), func(i int) (from, to string) { return pairs[i].Primary, pairs[i].Cluster }, alike)
	state := func(g ways.Group) int { return slices.Index(states, pairs[g.At[0]].State) }
	slices.SortStableFunc(groups, func(a, b ways.Group) int { return state(a) - state(b) })
	list := report.Clusters
	if wide {
		list = func(names []string) string { return strings.Join(names, ", ") }
	}
	var rows [][]string
	var tones []report.Tone
	for _, g := range groups {
		of := pairs[g.At[0]]
		why := of.Reason
		if len(of.Codes) > 0 {
			why += " (" + codeList(of.Codes) + ")"
		}
		from, to := g.Ends(list)
		rows = append(rows, []string{from, stateWords[of.State], to, why})
		tones = append(tones, signTones[of.State])
	}
	if len(rows) > 0 {
		p.Blank()
	}
	return p.Table([]string{"PRIMARY", "STATUS", "CLUSTER", "WHY"}, rows, report.Status(1, tones))
}

// said is what the replicas say, once where they agree.
func said(s remotesecrets.Secret) string {
	var out []string
	for _, i := range s.Istiod {
		if !slices.Contains(out, i.State) {
			out = append(out, i.State)
		}
	}
	if len(out) > 1 {
		out = nil
		for _, i := range s.Istiod {
			out = append(out, fmt.Sprintf("%s: %s", i.Pod, i.State))
		}
	}
	return strings.Join(out, ", ")
}

func codes(s remotesecrets.Secret) string { return codeList(s.Codes) }

func codeList(codes []finding.Code) string {
	out := make([]string, len(codes))
	for i, c := range codes {
		out[i] = string(c)
	}
	return strings.Join(out, " ")
}

package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/remotesecrets"
	"github.com/kubectl-mesh/kubectl-mesh/internal/printable"
	"github.com/kubectl-mesh/kubectl-mesh/internal/report"
)

var signs = map[remotesecrets.State]string{
	remotesecrets.Watches:   "✓",
	remotesecrets.Broken:    "✗",
	remotesecrets.NotNeeded: "–",
	remotesecrets.NotKnown:  "?",
}

// secretsTable writes the matrix; wide adds a row for each remote secret. A matrix that is wider than
// the page becomes a row for each pair.
func secretsTable(p *report.Page, l remotesecrets.Listing, wide bool) error {
	header, rows := matrix(l)
	if !p.Fits(header, rows) {
		header, rows = pairs(l)
	}
	if len(rows) == 0 {
		p.Line("No control plane was found.")
		return nil
	}
	if err := p.Table(header, rows); err != nil || !wide || len(l.Secrets) == 0 {
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

func cell(p remotesecrets.Pair) string {
	text := signs[p.State]
	if p.Reason != "" {
		text += " " + p.Reason
	}
	return text
}

// matrix has a row for each control plane's cluster and a column for each cluster.
func matrix(l remotesecrets.Listing) (header []string, rows [][]string) {
	header = []string{"PRIMARY"}
	for _, c := range l.Clusters {
		header = append(header, printable.Line(c))
	}
	for _, p := range l.Pairs {
		if len(rows) == 0 || rows[len(rows)-1][0] != p.Primary {
			rows = append(rows, []string{p.Primary})
		}
		last := len(rows) - 1
		rows[last] = append(rows[last], cell(p))
	}
	return header, rows
}

// pairs has a row for each pair that need not be passed over.
func pairs(l remotesecrets.Listing) (header []string, rows [][]string) {
	for _, p := range l.Pairs {
		if p.State != remotesecrets.NotNeeded {
			rows = append(rows, []string{p.Primary, p.Cluster, signs[p.State], p.Reason})
		}
	}
	return []string{"PRIMARY", "CLUSTER", "WATCHES", "WHY"}, rows
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

func codes(s remotesecrets.Secret) string {
	out := make([]string, len(s.Codes))
	for i, c := range s.Codes {
		out[i] = string(c)
	}
	return strings.Join(out, " ")
}

package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/certs"
	"github.com/kubectl-mesh/kubectl-mesh/internal/pki"
	"github.com/kubectl-mesh/kubectl-mesh/internal/report"
)

// mostCertificates are the rows up to which each certificate has its own; more are gathered by what
// they have in common.
const mostCertificates = 16

// soon is when the end of a certificate stands out.
const soon = 30 * 24 * time.Hour

// listTable writes a listing as a table; where the page is too narrow for all its columns, what there
// is to say of a certificate is one of them. Of many certificates those alike are one row, unless
// wide.
func listTable(p *report.Page, l certs.Listing, now time.Time, wide bool) error {
	if len(l.Certificates) == 0 {
		p.Line("No CA certificate was found.")
		return nil
	}
	if len(l.Certificates) > mostCertificates && !wide {
		return gatheredTable(p, l, now)
	}
	header := []string{"CLUSTER", "ROLE", "EXPIRES", "SHA256", "KEY", "TRUSTED IN", "SUBJECT", "ISSUER", "SOURCE"}
	var rows [][]string
	var tones []report.Tone
	for _, r := range l.Certificates {
		sha, expires, issuer := pki.Short(r.SHA256), r.NotAfter.Format(time.DateOnly), r.Issuer
		if wide {
			sha, expires = r.SHA256, r.NotAfter.Format(time.RFC3339)
		} else if issuer == r.Subject {
			issuer = "itself"
		}
		rows = append(rows, []string{
			r.Cluster, r.Role, expires + " (" + left(r.NotAfter.Sub(now)) + ")", sha, r.Key,
			strings.Join(r.TrustedIn, ", "), r.Subject, issuer, strings.Join(r.Sources, ", "),
		})
		tones = append(tones, expiryTone(r.NotAfter.Sub(now)))
	}
	if p.Fits(header, rows) {
		return p.Table(header, rows, report.Status(2, tones))
	}
	for i, r := range rows {
		for k, name := range []string{"sha256 ", "", "trusted in ", "", "issued by ", "from "} {
			if cell := &r[3+k]; *cell != "" {
				*cell = name + *cell
			}
		}
		parts := slices.DeleteFunc([]string{r[6], r[7], r[3], r[4], r[5], r[8]}, func(s string) bool { return s == "" })
		rows[i] = []string{r[0], r[1], r[2], strings.Join(parts, "; ")}
	}
	return p.Table([]string{"CLUSTER", "ROLE", "EXPIRES", "CERTIFICATE"}, rows, report.Status(2, tones))
}

// expiryTone is how the end of a certificate stands out.
func expiryTone(left time.Duration) report.Tone {
	switch {
	case left <= 0:
		return report.Bad
	case left < soon:
		return report.Doubtful
	}
	return report.Tone{}
}

// gatheredTable has a row for certificates of one role, issuer and kind of key that the same clusters
// trust, and one for each that has expired or is about to.
func gatheredTable(p *report.Page, l certs.Listing, now time.Time) error {
	type key struct {
		role, issuer, key string
		everywhere, late  bool
	}
	var kinds []key
	of := map[key][]certs.Row{}
	clusters := map[string]bool{}
	for _, r := range l.Certificates {
		clusters[r.Cluster] = true
	}
	for _, r := range l.Certificates {
		k := key{r.Role, r.Issuer, r.Key, len(r.TrustedIn) >= len(clusters)-1, r.NotAfter.Sub(now) < soon}
		if of[k] == nil {
			kinds = append(kinds, k)
		}
		of[k] = append(of[k], r)
	}
	slices.SortStableFunc(kinds, func(a, b key) int {
		if a.late != b.late {
			return map[bool]int{true: -1, false: 1}[a.late]
		}
		return 0
	})
	var rows [][]string
	var tones []report.Tone
	for _, k := range kinds {
		rs := of[k]
		var in, shas, subjects []string
		first := rs[0]
		for _, r := range rs {
			in, shas, subjects = append(in, r.Cluster), append(shas, r.SHA256), append(subjects, r.Subject)
			if r.NotAfter.Before(first.NotAfter) {
				first = r
			}
		}
		shas, subjects = finding.Distinct(shas), finding.Distinct(subjects)
		what := subjects[0]
		if len(subjects) > 1 {
			what += fmt.Sprintf(" and %d more subjects", len(subjects)-1)
		}
		if len(shas) == 1 {
			what += "; sha256 " + pki.Short(shas[0])
		} else {
			what = fmt.Sprintf("%d: %s", len(shas), what)
		}
		issuer, trusted := "issued by "+k.issuer, "not trusted in every other cluster"
		if len(subjects) == 1 && k.issuer == subjects[0] {
			issuer = "issued by itself"
		}
		if k.everywhere {
			trusted = "trusted in every other cluster"
		}
		expires := first.NotAfter.Format(time.DateOnly) + " (" + left(first.NotAfter.Sub(now)) + ")"
		if len(shas) > 1 {
			expires = "from " + expires
		}
		rows = append(
			rows,
			[]string{report.Clusters(finding.Distinct(in)), k.role, expires, strings.Join([]string{what, issuer, k.key, trusted}, "; ")},
		)
		tones = append(tones, expiryTone(first.NotAfter.Sub(now)))
	}
	if err := p.Table([]string{"CLUSTER", "ROLE", "EXPIRES", "CERTIFICATES"}, rows, report.Status(2, tones)); err != nil {
		return err
	}
	p.Wrapped("", finding.Plural(len(l.Certificates), "row")+" are gathered here; -o wide has each.")
	return nil
}

// left is the time that a certificate still has, or that has passed since.
func left(d time.Duration) string {
	const day = 24 * time.Hour
	short := func(d time.Duration) string {
		switch {
		case d >= 2*365*day:
			return fmt.Sprintf("%dy", d/(365*day))
		case d >= 2*day:
			return fmt.Sprintf("%dd", d/day)
		case d >= time.Hour:
			return fmt.Sprintf("%dh", d/time.Hour)
		default:
			return fmt.Sprintf("%dm", d/time.Minute)
		}
	}
	if d <= 0 {
		return "expired " + short(-d) + " ago"
	}
	return short(d)
}

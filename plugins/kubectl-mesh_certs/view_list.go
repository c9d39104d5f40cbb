package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/certs"
	"github.com/kubectl-mesh/kubectl-mesh/internal/pki"
	"github.com/kubectl-mesh/kubectl-mesh/internal/report"
)

// listTable writes a listing as a table; where the page is too narrow for all its
// columns, what there is to say of a certificate is one of them.
func listTable(p *report.Page, l certs.Listing, now time.Time, wide bool) error {
	header := []string{"CLUSTER", "ROLE", "SHA256", "KEY", "EXPIRES", "TRUSTED IN", "SUBJECT", "ISSUER", "SOURCE"}
	var rows [][]string
	for _, r := range l.Certificates {
		sha, expires, issuer := pki.Short(r.SHA256), r.NotAfter.Format(time.DateOnly), r.Issuer
		if wide {
			sha, expires = r.SHA256, r.NotAfter.Format(time.RFC3339)
		} else if issuer == r.Subject {
			issuer = "itself"
		}
		rows = append(rows, []string{
			r.Cluster, r.Role, sha, r.Key, expires + " (" + left(r.NotAfter.Sub(now)) + ")",
			strings.Join(r.TrustedIn, ", "), r.Subject, issuer, strings.Join(r.Sources, ", "),
		})
	}
	if p.Fits(header, rows) {
		return p.Table(header, rows)
	}
	for i, r := range rows {
		for k, name := range []string{"sha256 ", "", "until ", "trusted in ", "", "issued by ", "from "} {
			if cell := &r[2+k]; *cell != "" {
				*cell = name + *cell
			}
		}
		parts := slices.DeleteFunc([]string{r[6], r[7], r[2], r[3], r[4], r[5], r[8]}, func(s string) bool { return s == "" })
		rows[i] = []string{r[0], r[1], strings.Join(parts, "; ")}
	}
	return p.Table([]string{"CLUSTER", "ROLE", "CERTIFICATE"}, rows)
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

package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/kubectl-mesh/kubectl-mesh/internal/pki"
	"github.com/kubectl-mesh/kubectl-mesh/internal/report"
	"github.com/kubectl-mesh/kubectl-mesh/internal/trust"
)

// listTable writes a listing as a table.
func listTable(p *report.Page, l trust.Listing, now time.Time, wide bool) error {
	header := []string{"CLUSTER", "ROLE", "SHA256", "KEY", "EXPIRES", "TRUSTED IN", "SUBJECT", "ISSUER", "SOURCE"}
	var rows [][]string
	for _, r := range l.Certificates {
		sha, expires, issuer := pki.Short(r.SHA256), r.NotAfter.Format(time.DateOnly), r.Issuer
		if wide {
			sha, expires = r.SHA256, r.NotAfter.Format(time.RFC3339)
		} else if issuer == r.Subject {
			issuer = "(itself)"
		}
		rows = append(rows, []string{
			r.Cluster, r.Role, sha, r.Key, expires + " (" + left(r.NotAfter.Sub(now)) + ")",
			strings.Join(r.TrustedIn, ", "), r.Subject, issuer, strings.Join(r.Sources, ", "),
		})
	}
	return p.Table(header, rows)
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

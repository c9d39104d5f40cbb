package main

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/fatih/color"

	"github.com/kubectl-mesh/kubectl-mesh/internal/pki"
	"github.com/kubectl-mesh/kubectl-mesh/internal/report"
	"github.com/kubectl-mesh/kubectl-mesh/internal/view"
	"github.com/kubectl-mesh/kubectl-mesh/internal/ways"
)

// printDiff writes how roots differ: like diff(1) for two clusters, as
// tables for more.
func printDiff(p *report.Page, c view.Comparison, wide bool) error {
	if c.Same && !wide {
		return nil
	}
	if len(c.Clusters) == 2 {
		twoSides(p, c, wide)
		return nil
	}
	if err := rootTable(p, c, wide); err != nil {
		return err
	}
	for _, cluster := range c.Clusters {
		if why := cmp.Or(cluster.Unknown, cluster.Missing); why != "" {
			p.Wrapped("", cluster.Cluster+": "+why, color.FgRed)
		}
	}
	p.Blank()
	return trustTable(p, c)
}

// twoSides writes the roots of two clusters as diff -u would.
func twoSides(p *report.Page, c view.Comparison, wide bool) {
	left, right := c.Clusters[0], c.Clusters[1]
	for i, side := range []view.ClusterRoots{left, right} {
		mark, style := "--- ", color.FgRed
		if i == 1 {
			mark, style = "+++ ", color.FgGreen
		}
		p.Wrapped(mark, side.Cluster+"  "+cmp.Or(side.Unknown, side.Missing, side.Source), style, color.Bold)
	}
	for _, mark := range []string{" ", "-", "+"} {
		for _, r := range c.Roots {
			inLeft, inRight := slices.Contains(r.Clusters, left.Cluster), slices.Contains(r.Clusters, right.Cluster)
			switch {
			case mark == " " && inLeft && inRight:
				p.Wrapped("  ", describe(r, wide))
			case mark == "-" && !inRight && right.Unknown == "":
				p.Wrapped("- ", describe(r, wide), color.FgRed)
			case mark == "+" && !inLeft && left.Unknown == "":
				p.Wrapped("+ ", describe(r, wide), color.FgGreen)
			case mark == " " && (left.Unknown != "" || right.Unknown != ""):
				p.Wrapped("? ", describe(r, wide))
			}
		}
	}
	p.Blank()
	for _, r := range c.Trust {
		style := []color.Attribute{color.FgGreen}
		if r.Verdict != view.Trusts {
			style[0] = color.FgRed
		}
		p.Wrapped("", verdict(r), style...)
	}
}

// verdict is a relation as a sentence.
func verdict(r view.Relation) string {
	says := map[view.Trust]string{view.Trusts: "trusts", view.Distrusts: "does not trust", view.Undecided: "may or may not trust"}
	return fmt.Sprintf("%s %s %s: %s", r.From, says[r.Verdict], r.To, r.Reason)
}

func describe(r view.Root, wide bool) string {
	sha := pki.Short(r.SHA256)
	if wide {
		sha = r.SHA256
	}
	return fmt.Sprintf("%s  sha256 %s  until %s", r.Subject, sha, r.NotAfter.Format(time.DateOnly))
}

// rootTable has a row for each root.
func rootTable(p *report.Page, c view.Comparison, wide bool) error {
	var rows [][]string
	for _, r := range c.Roots {
		sha := pki.Short(r.SHA256)
		if wide {
			sha = r.SHA256
		}
		var without, unknown []string
		for _, cluster := range c.Clusters {
			switch {
			case slices.Contains(r.Clusters, cluster.Cluster):
			case cluster.Unknown != "":
				unknown = append(unknown, cluster.Cluster)
			default:
				without = append(without, cluster.Cluster)
			}
		}
		n := len(c.Clusters)
		rows = append(rows, []string{
			r.Subject, sha, r.NotAfter.Format(time.DateOnly), some(r.Clusters, n), some(without, n), some(unknown, n),
		})
	}
	return p.Table([]string{"ROOT", "SHA256", "UNTIL", "TRUSTED IN", "NOT IN", "UNKNOWN"}, rows)
}

// trustTable says which clusters trust which others: of those alike one row, what is wrong first.
func trustTable(p *report.Page, c view.Comparison) error {
	order := []view.Trust{view.Distrusts, view.Undecided, view.Trusts}
	words := map[view.Trust]string{view.Distrusts: "broken", view.Undecided: "unknown", view.Trusts: "ok"}
	tone := map[view.Trust]report.Tone{view.Distrusts: report.Bad, view.Undecided: report.Noted, view.Trusts: report.Good}
	groups := ways.Gather(len(c.Trust), func(i int) (from, to string) { return c.Trust[i].From, c.Trust[i].To },
		func(i, j int) bool {
			a, b := c.Trust[i], c.Trust[j]
			return a.Verdict == b.Verdict && (a.Verdict == view.Trusts || a.Reason == b.Reason)
		})
	verdict := func(g ways.Group) view.Trust { return c.Trust[g.At[0]].Verdict }
	slices.SortStableFunc(groups, func(a, b ways.Group) int {
		return slices.Index(order, verdict(a)) - slices.Index(order, verdict(b))
	})
	var rows [][]string
	var tones []report.Tone
	for _, g := range groups {
		from, to := g.Ends(report.Clusters)
		why := ""
		if verdict(g) != view.Trusts {
			why = c.Trust[g.At[0]].Reason
		}
		rows, tones = append(rows, []string{from, words[verdict(g)], to, why}), append(tones, tone[verdict(g)])
	}
	return p.Table([]string{"CLUSTER", "STATUS", "TRUST IN", "WHY"}, rows, report.Status(1, tones))
}

// some lists names, or says that it is all of them.
func some(names []string, all int) string {
	if len(names) == all && all > 1 {
		return "all"
	}
	return report.Clusters(names)
}

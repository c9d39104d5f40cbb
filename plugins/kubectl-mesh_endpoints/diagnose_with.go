package main

import (
	"context"

	"github.com/kubectl-mesh/kubectl-mesh/internal/command"
	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/known"
	"github.com/kubectl-mesh/kubectl-mesh/internal/report"
	"github.com/kubectl-mesh/kubectl-mesh/internal/view"
)

// asked is what the user wants to be told.
type asked struct {
	output             *command.Output
	format             report.Format
	service, namespace string
}

// diagnoseWith says what becomes of the paths of a service, and of what is found of them, if manifests are
// applied. The service may be one of them.
func diagnoseWith(ctx context.Context, with *command.With, s *command.Supposed, fleet *facts.Fleet, a asked) error {
	to, err := findService(s.After, a.service, a.namespace)
	if err != nil {
		return err
	}
	after, then, err := with.DiagnoseUnasked(ctx, s.After, to.Namespace, to.Name)
	if err != nil {
		return err
	}
	now, before := &view.Diagnosis{}, &view.Diagnosis{}
	var is, was finding.Result
	if _, err := findService(fleet, a.service, a.namespace); err == nil {
		if now, is, err = with.Diagnose(ctx, fleet, to.Namespace, to.Name); err != nil {
			return err
		}
		if before, was, err = with.DiagnoseUnasked(ctx, s.Before, to.Namespace, to.Name); err != nil {
			return err
		}
	}
	again := with.Again("diagnose", to.Name+"."+to.Namespace)
	forecast := with.Forecast(with.Plugin.Name+" diagnose", s, known.Compare(is, was, then), then, again)
	paths := pathsThen(now, before, after)
	for i := range paths {
		p := &paths[i]
		from := source(after, p.Path)
		forecast.Paths = append(forecast.Paths, report.PathChange{
			From: from, To: p.To, Now: string(p.now), Then: string(p.Verdict), Why: p.Summary,
		})
		if p.now != p.Verdict {
			forecast.Rows = append(forecast.Rows, []string{from, verdictWords[p.now], verdictWords[p.Verdict], p.To, p.Summary})
		}
	}
	if err := with.Print(a.output, a.format, forecast, false); err != nil {
		return err
	}
	worst := view.Diagnosis{}
	for _, p := range paths {
		worst.Paths = append(worst.Paths, p.Path)
	}
	if v := worst.Verdict(); !v.Failed() && !forecast.Complete {
		return command.ExitCode(command.ExitFailed)
	}
	return exitOf(&worst)
}

// pathThen is a path as it would be, and its verdict now.
type pathThen struct {
	view.Path
	now view.Verdict
}

// pathsThen are the paths as they would be. now is with what control planes and proxies answer, before and
// after are without. Where they answer what decides a path, nobody knows what they will answer.
func pathsThen(now, before, after *view.Diagnosis) []pathThen {
	var out []pathThen
	for _, then := range after.Paths {
		is, was := pathLike(now, then), pathLike(before, then)
		p := pathThen{Path: then, now: is.Verdict}
		switch {
		case sameEnd(was, then): // nothing changes: what is answered holds
			p.Path = is
		case !sameEnd(is, was):
			p.Verdict, p.Code, p.Cause = view.Unknown, "", ""
			p.Summary = "it rests on what control planes and proxies answer now"
		}
		out = append(out, p)
	}
	return out
}

// sameEnd reports whether paths end alike, and for the same reason.
func sameEnd(a, b view.Path) bool {
	return a.Verdict == b.Verdict && a.Cause == b.Cause && a.Code == b.Code
}

// pathLike is the path between the same ends; one to nothing where there is none.
func pathLike(d *view.Diagnosis, path view.Path) view.Path {
	for _, p := range d.Paths {
		if p.To == path.To && p.From == path.From {
			return p
		}
	}
	none := path
	none.Verdict, none.Code, none.Cause, none.Summary = view.Nothing, "", "", ""
	return none
}

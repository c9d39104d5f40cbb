package command

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/known"
	"github.com/kubectl-mesh/kubectl-mesh/internal/report"
)

// inTime are the flags that say what is known of a fleet from earlier runs, and how long to wait for it.
type inTime struct {
	*Frame
	baselineFile, suppressFile string
	wait                       time.Duration
	watched                    bool

	baseline     known.Baseline
	suppressions []known.Suppression
	left         known.Left
}

// addInTime adds flags --baseline, --suppress, --wait and --watch to a command.
func (f *Frame) addInTime(cmd *cobra.Command) *inTime {
	o := &inTime{Frame: f}
	cmd.Flags().StringVar(&o.baselineFile, "baseline", "", "Fail only for what is not in this `file`")
	cmd.Flags().StringVar(&o.suppressFile, "suppress", "", "Ignore what this `file` suppresses")
	cmd.Flags().DurationVar(&o.wait, "wait", 0, "Check again until well, at most this `time`")
	cmd.Flags().BoolVarP(&o.watched, "watch", "w", false, "Go on, and print what changes")
	return o
}

// mostKnown is how large a baseline or a list of suppressions may be, in bytes.
const mostKnown = 256 << 20

// readKnown reads a file that the user names; nothing where none is named.
func readKnown[T any](flag, name string, read func([]byte) (T, error)) (out T, err error) {
	if name == "" {
		return out, nil
	}
	info, err := os.Stat(name)
	switch {
	case err != nil:
		return out, fmt.Errorf("--%s %s: there is no such file", flag, name)
	case !info.Mode().IsRegular() || info.Size() > mostKnown:
		return out, fmt.Errorf("--%s %s: it is not a file, or too large", flag, name)
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return out, fmt.Errorf("--%s %s: it cannot be read", flag, name)
	}
	if out, err = read(text); err != nil {
		return out, fmt.Errorf("--%s %s: %w", flag, name, err)
	}
	return out, nil
}

// check reads the files.
func (o *inTime) check() (err error) {
	switch {
	case o.wait < 0:
		return fmt.Errorf("--wait takes a time that is not negative, like 5m")
	case o.wait > 0 && o.Dumped():
		return fmt.Errorf("--wait checks live clusters again; with --from nothing changes")
	}
	if o.baseline, err = readKnown("baseline", o.baselineFile, known.ReadBaseline); err != nil {
		return err
	}
	o.suppressions, err = readKnown("suppress", o.suppressFile, known.ReadSuppressions)
	return err
}

// split takes out of a result what does not count.
func (o *inTime) split(result finding.Result) finding.Result {
	result, o.left = known.Split(result, o.baseline, o.suppressions, time.Now())
	return result
}

// without is split of what is supposed: which suppressions are idle shows in what is.
func (o *inTime) without(result finding.Result) finding.Result {
	result, _ = known.Split(result, o.baseline, o.suppressions, time.Now())
	return result
}

// exit is the error that ends a command with the code that the result deserves. A suppression whose
// last day is over fails too: somebody meant to look at it by then.
func (o *inTime) exit(failOn *FailOn, result finding.Result) error {
	for _, s := range o.left.Idle {
		note(o.ErrOut, "--suppress %s: nothing is found that is suppressed as %s.", o.suppressFile, s)
	}
	for _, s := range o.left.Expired {
		note(o.ErrOut, "--suppress %s: %s expired on %s (%s): remove it, or give it another day.", o.suppressFile, s, s.Expires, s.Reason)
	}
	if err := failOn.Exit(result); err != nil || len(o.left.Expired) == 0 || failOn.level.text == failNever {
		return err
	}
	return ExitCode(ExitFindings)
}

// pause is between two checks of --wait.
const pause = 10 * time.Second

// until checks, and again while something is open and there is time left. open says what
// is; nothing where all is well. What check says on the error stream is said once.
func (o *inTime) until(ctx context.Context, check func(context.Context) error, open func() []string) error {
	end := time.Now().Add(o.wait)
	errOut := o.ErrOut
	defer func() { o.ErrOut = errOut }()
	for {
		if err := check(ctx); err != nil {
			return err
		}
		left := time.Until(end)
		if o.wait == 0 || left <= 0 {
			return nil
		}
		still := open()
		if len(still) == 0 {
			return nil
		}
		note(errOut, "Still open: %s. Checking again for %s.", strings.Join(still, ", "), left.Round(time.Second))
		o.ErrOut = silent{}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(min(pause, left)):
		}
	}
}

// open says what is still open of what makes a command fail: findings by code, clusters that did not
// answer, and with --strict what could not be checked.
func (o *inTime) open(failOn *FailOn, fleet *facts.Fleet, result finding.Result) []string {
	var out []string
	if failOn.Exit(result) != nil {
		clusters := map[finding.Code][]string{}
		var codes []finding.Code
		for _, f := range result.Findings {
			if !failOn.Fails(f.Severity) {
				continue
			}
			if clusters[f.Code] == nil {
				codes = append(codes, f.Code)
			}
			clusters[f.Code] = finding.Distinct(append(clusters[f.Code], f.Clusters...))
		}
		for _, code := range codes {
			out = append(out, fmt.Sprintf("%s (%s)", code, report.Clusters(clusters[code])))
		}
		if len(codes) == 0 {
			out = append(out, finding.Plural(result.Unchecked(), "rule")+" not checked")
		}
	}
	if Unreachable(fleet) != nil {
		out = append(out, "no cluster answered")
	}
	return out
}

// silent is where nothing is said.
type silent struct{}

func (silent) Write(p []byte) (int, error) { return len(p), nil }

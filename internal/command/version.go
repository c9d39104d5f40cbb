package command

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	utilversion "k8s.io/apimachinery/pkg/util/version"

	"github.com/kubectl-mesh/kubectl-mesh/internal/report"
)

// version, commit and date (of the commit, RFC 3339 in UTC) are set when a release
// is built.
var version, commit, date string

// Version is that of the program: of the release, else of the module, else "dev".
func Version() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "dev"
}

// versionDocument is the document of "version". ClientVersion has the fields of
// "kubectl version --client", so that one query reads both.
type versionDocument struct {
	report.Meta
	Plugin        string        `json:"plugin"`
	ClientVersion clientVersion `json:"clientVersion"`
}

type clientVersion struct {
	Major        string `json:"major"`
	Minor        string `json:"minor"`
	GitVersion   string `json:"gitVersion"`
	GitCommit    string `json:"gitCommit,omitempty"`
	GitTreeState string `json:"gitTreeState,omitempty"`
	BuildDate    string `json:"buildDate,omitempty"`
	GoVersion    string `json:"goVersion"`
	Compiler     string `json:"compiler"`
	Platform     string `json:"platform"`
}

// build is what is known of the build; a version that is no semantic one has no
// major and no minor.
func build() clientVersion {
	v := clientVersion{
		GitVersion: Version(), GitCommit: commit, BuildDate: date,
		GoVersion: runtime.Version(), Compiler: runtime.Compiler, Platform: runtime.GOOS + "/" + runtime.GOARCH,
	}
	if parsed, err := utilversion.ParseSemantic(v.GitVersion); err == nil {
		v.Major, v.Minor = strconv.FormatUint(uint64(parsed.Major()), 10), strconv.FormatUint(uint64(parsed.Minor()), 10)
	}
	if commit != "" {
		v.GitTreeState = "clean"
		if strings.HasSuffix(v.GitVersion, "-dirty") {
			v.GitTreeState = "dirty"
		}
	}
	return v
}

func (f *Frame) newVersion() *cobra.Command {
	var format string
	formats := []string{string(report.JSON), string(report.YAML)}
	cmd := &cobra.Command{
		Use:     "version",
		Short:   "Print the version",
		Example: "  %[1]s version\n  %[1]s version -o json",
		Args:    cobra.NoArgs,
	}
	cmd.Flags().StringVarP(&format, "output", "o", "", "Output format: "+strings.Join(formats, "|"))
	f.must(cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(formats, cobra.ShellCompDirectiveNoFileComp)))
	cmd.RunE = func(*cobra.Command, []string) error {
		v := build()
		switch {
		case format == "":
			built := v.GitVersion
			if commit != "" {
				built += " (commit " + commit[:min(len(commit), 12)] + ")"
			}
			_, err := fmt.Fprintf(f.Out, "%s %s %s %s\n", f.Plugin.Name, built, v.GoVersion, v.Platform)
			return err
		case slices.Contains(formats, format):
			return report.Encode(
				f.Out,
				report.Format(format),
				versionDocument{Meta: report.NewMeta("Version"), Plugin: f.Plugin.Name, ClientVersion: v},
			)
		}
		return fmt.Errorf("there is no output format %q; -o takes one of %s", format, strings.Join(formats, ", "))
	}
	return cmd
}

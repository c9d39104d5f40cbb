// Command release does what a release of the plugins needs beside goreleaser: bills of
// materials, krew's manifests, a container image, and the installation of what was built.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"

	"github.com/kubectl-mesh/kubectl-mesh/release/manifest"
	"github.com/kubectl-mesh/kubectl-mesh/release/sbom"
)

const usage = `Usage:
  release sbom -version V PROGRAM FILE   write the bill of materials of a program
  release manifests [flags]              fill krew's manifests in and check them
    -templates DIR  the templates (krew-manifests)
    -dist DIR       what goreleaser built (dist); they are written to its krew-manifests
    -tag TAG        the release (what goreleaser says)
    -partial        leave platforms out that were not built
  release image [flags]                  make the container image, as a layout of the OCI
    -dist DIR       what goreleaser built (dist); the layout is written to its image
    -partial        leave platforms out that were not built
  release check [-dist DIR] FILE...      check manifests, and the archives they name
  release install [flags]                install the plugins by krew, or as it would
    -dist DIR       what goreleaser built (dist), with its krew-manifests
    -root DIR       krew's folder (KREW_ROOT, else ~/.krew)
    -without-krew   do not look for krew
`

// errUsage is returned for a command line that the usage explains.
var errUsage = errors.New("see the usage")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
	case errors.Is(err, errUsage):
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out, log io.Writer) error {
	command := ""
	if len(args) > 0 {
		command, args = args[0], args[1:]
	}
	flags := flag.NewFlagSet("release", flag.ContinueOnError)
	flags.SetOutput(log)
	flags.Usage = func() { fmt.Fprint(flags.Output(), usage) }
	parse := func(least, most int) error {
		if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
			return err
		} else if err != nil {
			return errUsage
		}
		if n := flags.NArg(); n < least || most >= 0 && n > most {
			flags.Usage()
			return errUsage
		}
		return nil
	}
	switch command {
	case "sbom":
		version := flags.String("version", "", "")
		if err := parse(2, 2); err != nil {
			return err
		}
		return writeSBOM(flags.Arg(0), flags.Arg(1), *version)
	case "manifests":
		var r renderer
		flags.StringVar(&r.templates, "templates", "krew-manifests", "")
		flags.StringVar(&r.dist, "dist", "dist", "")
		flags.StringVar(&r.tag, "tag", "", "")
		flags.BoolVar(&r.partial, "partial", false, "")
		if err := parse(0, 0); err != nil {
			return err
		}
		return r.run(out)
	case "image":
		var i imager
		flags.StringVar(&i.dist, "dist", "dist", "")
		flags.BoolVar(&i.partial, "partial", false, "")
		if err := parse(0, 0); err != nil {
			return err
		}
		return i.run(out)
	case "check":
		dist := flags.String("dist", "", "")
		if err := parse(1, -1); err != nil {
			return err
		}
		return check(flags.Args(), *dist, out)
	case "install":
		var i installer
		flags.StringVar(&i.dist, "dist", "dist", "")
		flags.StringVar(&i.root, "root", "", "")
		flags.BoolVar(&i.withoutKrew, "without-krew", false, "")
		if err := parse(0, 0); err != nil {
			return err
		}
		return i.run(ctx, out, log)
	case "help", "-h", "-help", "--help":
		fmt.Fprint(out, usage)
		return nil
	}
	flags.Usage()
	return errUsage
}

func writeSBOM(program, file, version string) error {
	bom, err := sbom.Of(program, version)
	if err != nil {
		return err
	}
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	return errors.Join(sbom.Write(f, bom), f.Close())
}

// check checks manifests, each of which has to serve all platforms, and with a folder of
// archives these as well.
func check(files []string, dist string, out io.Writer) error {
	var faults []error
	for _, file := range files {
		if err := checkFile(file, dist, manifest.Targets); err != nil {
			faults = append(faults, fmt.Errorf("%s:\n%w", file, err))
			continue
		}
		fmt.Fprintf(out, "%s: ok\n", file)
	}
	return errors.Join(faults...)
}

func checkFile(file, dist string, targets []manifest.Target) error {
	p, err := manifest.Read(file)
	if err != nil {
		return err
	}
	if err := manifest.Check(manifest.NameOf(file), p, targets); err != nil || dist == "" {
		return err
	}
	return manifest.CheckArchives(p, dist)
}

// host is the platform of this machine, as krew sees it.
func host() manifest.Target {
	t := manifest.Target{OS: runtime.GOOS, Arch: runtime.GOARCH}
	if v := os.Getenv("KREW_OS"); v != "" {
		t.OS = v
	}
	if v := os.Getenv("KREW_ARCH"); v != "" {
		t.Arch = v
	}
	return t
}

// manifestsIn are the manifests in a folder.
func manifestsIn(dir string) ([]string, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*"+manifest.Extension))
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("there is no manifest in %s", dir)
	}
	slices.Sort(files)
	return files, nil
}

package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"

	"github.com/kubectl-mesh/kubectl-mesh/release/manifest"
)

// installer installs the plugins from the archives that were built for this machine.
type installer struct {
	dist, root  string
	withoutKrew bool
}

func (i installer) run(ctx context.Context, out, log io.Writer) error {
	if i.root == "" {
		i.root = os.Getenv("KREW_ROOT")
	}
	if i.root == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return err
		}
		i.root = filepath.Join(home, ".krew")
	}
	root, err := filepath.Abs(i.root)
	if err != nil {
		return err
	}
	i.root = root
	files, err := manifestsIn(filepath.Join(i.dist, rendered))
	if err != nil {
		return err
	}
	krew := !i.withoutKrew && i.kubectl(ctx, io.Discard, "krew", "version") == nil
	for _, file := range files {
		p, err := manifest.Read(file)
		if err != nil {
			return err
		}
		platform, err := p.For(host())
		if err != nil {
			return err
		}
		archive := filepath.Join(i.dist, platform.Archive())
		if krew {
			err = i.byKrew(ctx, p, file, archive, log)
		} else {
			_, err = manifest.Install(i.root, p, host(), archive)
		}
		if err != nil {
			return fmt.Errorf("installing %s: %w", p.Name, err)
		}
		fmt.Fprintf(out, "%s %s is installed: kubectl %s version\n", p.Name, p.Spec.Version, p.Name)
	}
	bin := filepath.Join(i.root, "bin")
	if !slices.Contains(filepath.SplitList(os.Getenv("PATH")), bin) {
		fmt.Fprintf(log, "kubectl finds them with %s on the PATH.\n", bin)
	}
	return nil
}

// byKrew installs anew: krew leaves an installed plugin as it is, and uninstalls none
// before it has fetched krew-index.
func (i installer) byKrew(ctx context.Context, p manifest.Plugin, file, archive string, log io.Writer) error {
	if err := manifest.Uninstall(i.root, p.Name, host()); err != nil {
		return err
	}
	return i.kubectl(ctx, log, "krew", "install", "--manifest", file, "--archive", archive)
}

func (i installer) kubectl(ctx context.Context, log io.Writer, args ...string) error {
	cmd := exec.CommandContext(ctx, "kubectl", args...)
	cmd.Env = append(os.Environ(), "KREW_ROOT="+i.root)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("kubectl %v: %w", args, err)
	}
	return nil
}

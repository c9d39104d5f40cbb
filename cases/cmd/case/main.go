// Command case turns cases into dumps, and dumps into cases:
//
//	go run ./cases/cmd/case dump NAME FOLDER
//	go run ./cases/cmd/case take FOLDER NAME [BASE [CONTEXT=CLUSTER …]]
//
// The first writes a case's fleet into a folder for --from. The second makes the files of a
// case in cases/NAME out of a dump's folder; title, source, about and what is expected are left to write.
package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/kubectl-mesh/kubectl-mesh/cases"
	gloo "github.com/kubectl-mesh/kubectl-mesh/internal/gloo/resources"
	istio "github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	linkerd "github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) == 3 && args[0] == "dump":
		return write(args[1], args[2])
	case len(args) >= 3 && args[0] == "take":
		like := map[string]string{}
		base := ""
		if len(args) > 3 {
			base = args[3]
			for _, arg := range args[4:] {
				context, cluster, _ := strings.Cut(arg, "=")
				like[context] = cluster
			}
		}
		return take(args[1], args[2], base, like)
	}
	return errors.New("usage: case dump NAME FOLDER | case take FOLDER NAME [BASE [CONTEXT=CLUSTER ...]]")
}

const folder = "cases"

// rows are those of all meshes.
var rows = resource.Join(istio.All, linkerd.All, gloo.All)

func write(name, to string) error {
	all, err := cases.All(os.DirFS(folder))
	if err != nil {
		return err
	}
	for _, c := range all {
		if c.Name != name {
			continue
		}
		files, err := c.Dump(os.DirFS(folder), rows)
		if err != nil {
			return err
		}
		return os.CopyFS(to, files)
	}
	return fmt.Errorf("there is no case %s in %s", name, folder)
}

func take(from, name, base string, like map[string]string) error {
	fleet, files, err := cases.Take(os.DirFS(from), os.DirFS(folder), base, like, rows)
	if err != nil {
		return err
	}
	to := filepath.Join(folder, filepath.Base(name))
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(to, "case.yaml")); errors.Is(err, fs.ErrNotExist) {
		text, err := yaml.Marshal(cases.Case{Title: name, Fleet: fleet})
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(to, "case.yaml"), text, 0o644); err != nil {
			return err
		}
	}
	for file, text := range files {
		if err := os.WriteFile(filepath.Join(to, file), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

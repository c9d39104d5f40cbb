package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/kubectl-mesh/kubectl-mesh/release/manifest"
)

// renderer fills the manifests of a release in.
type renderer struct {
	templates, dist, tag string
	partial              bool
}

// rendered is the folder of the manifests under what goreleaser built.
const rendered = "krew-manifests"

func (r renderer) run(out io.Writer) error {
	tag := r.tag
	if tag == "" {
		version, err := r.version()
		if err != nil {
			return err
		}
		tag = "v" + version
	}
	text, err := os.ReadFile(filepath.Join(r.dist, "checksums.txt"))
	if err != nil {
		return err
	}
	sums, err := manifest.ParseSums(string(text))
	if err != nil {
		return err
	}
	templates, err := manifestsIn(r.templates)
	if err != nil {
		return err
	}
	into := filepath.Join(r.dist, rendered)
	if err := os.MkdirAll(into, 0o755); err != nil {
		return err
	}
	for _, file := range templates {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		filled, err := manifest.Render(filepath.Base(file), string(text), tag, sums, r.partial)
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		written := filepath.Join(into, filepath.Base(file))
		if err := os.WriteFile(written, filled, 0o644); err != nil {
			return err
		}
		targets := manifest.Targets
		if r.partial {
			targets = nil
		}
		if err := checkFile(written, r.dist, targets); err != nil {
			return fmt.Errorf("%s is wrong:\n%w", written, err)
		}
		fmt.Fprintln(out, written)
	}
	return nil
}

// version is that of what was built, from goreleaser's notes about it.
func (r renderer) version() (string, error) {
	file := filepath.Join(r.dist, "metadata.json")
	text, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	var metadata struct {
		Version string `json:"version"`
	}
	if err := json.Unmarshal(text, &metadata); err != nil {
		return "", fmt.Errorf("%s: %w", file, err)
	}
	if metadata.Version == "" {
		return "", fmt.Errorf("%s has no version", file)
	}
	return metadata.Version, nil
}

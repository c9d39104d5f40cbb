package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/kubectl-mesh/kubectl-mesh/release/image"
	"github.com/kubectl-mesh/kubectl-mesh/release/manifest"
)

// imager makes the container image of a release from its archives.
type imager struct {
	dist    string
	partial bool
}

const (
	// layoutDir is the folder of the image under what goreleaser built.
	layoutDir = "image"
	source    = "https://github.com/kubectl-mesh/kubectl-mesh"
	// entrypoint is the plugin that the image runs if nothing else is said.
	entrypoint = "kubectl-mesh_check"
)

// imagePlugins are those in the image, all.
var imagePlugins = []string{"mesh-check", "mesh-certs", "mesh-network", "mesh-endpoints"}

// run prints the digest of the image, and where it is.
func (i imager) run(out io.Writer) error {
	version, err := renderer{dist: i.dist}.version()
	if err != nil {
		return err
	}
	made := image.Image{Version: "v" + version, Source: source, Entrypoint: entrypoint}
	for _, t := range manifest.Targets {
		if t.OS != "linux" {
			continue
		}
		p, missing := i.platform(t)
		switch {
		case missing == "":
			made.Platforms = append(made.Platforms, p)
		case !i.partial:
			return fmt.Errorf("%s was not built", missing)
		}
	}
	if len(made.Platforms) == 0 {
		return fmt.Errorf("%s has no archive for linux", i.dist)
	}
	dir := filepath.Join(i.dist, layoutDir)
	digest, err := image.Write(dir, made)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, digest, dir)
	return nil
}

// platform is what was built for one, or a file that was not.
func (i imager) platform(t manifest.Target) (p image.Platform, missing string) {
	p.Arch = t.Arch
	for _, plugin := range imagePlugins {
		archive := filepath.Join(i.dist, manifest.ArchiveName(plugin, t))
		bill := filepath.Join(i.dist, plugin+"_"+t.OS+"_"+t.Arch+".cdx.json")
		for _, file := range []string{archive, bill} {
			if _, err := os.Stat(file); err != nil {
				return p, file
			}
		}
		p.Archives, p.Bills = append(p.Archives, archive), append(p.Bills, bill)
	}
	return p, ""
}

package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
)

// Limits of every plugin, before it asks a cluster anything.
const (
	mostSize    = 33 << 20 // bytes, stripped
	mostStartup = 0.5      // of the wall time and the peak memory of kubectl
	mostOfBare  = 1.5      // of the wall time of a program that links what reads a Secret, and does nothing
)

// startUp puts the version command of each plugin in a folder beside that of kubectl,
// which likewise asks no server, and holds the size of the plugins.
func startUp(ctx context.Context, b *table, r *runner, dir, kubectl, bare string) error {
	plugins, err := filepath.Glob(filepath.Join(dir, "kubectl-mesh_*"))
	if err != nil {
		return err
	}
	if len(plugins) == 0 {
		return errors.New("there are no plugins in " + dir)
	}
	var theirs, least []usage
	ours := make([][]usage, len(plugins))
	for range r.rounds {
		u, err := r.run(ctx, os.DevNull, kubectl, "version", "--client")
		if err != nil {
			return err
		}
		theirs = append(theirs, u)
		if u, err = r.run(ctx, os.DevNull, bare); err != nil {
			return err
		}
		least = append(least, u)
		for i, plugin := range plugins {
			u, err := r.run(ctx, os.DevNull, plugin, "version")
			if err != nil {
				return err
			}
			ours[i] = append(ours[i], u)
		}
	}
	for i, plugin := range plugins {
		name := filepath.Base(plugin)
		info, err := os.Stat(plugin)
		if err != nil {
			return err
		}
		b.against(name+" version, wall time, against kubectl version --client", ours[i], theirs, wallTime, mostStartup)
		b.against(name+" version, wall time, against a bare program of client-go", ours[i], least, wallTime, mostOfBare)
		b.against(name+" version, peak memory, against kubectl version --client", ours[i], theirs, peakMemory, mostStartup)
		b.fixed(name+", size, against what is allowed", []usage{{memory: info.Size()}}, peakMemory, mostSize, 1)
	}
	return nil
}

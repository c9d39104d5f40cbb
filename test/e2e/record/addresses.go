package main

import (
	"bytes"
	"encoding/base64"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"

	"sigs.k8s.io/yaml"
)

// encoded are the values of Secrets, in which kubeconfigs are.
var encoded = regexp.MustCompile(`[A-Za-z0-9+/]{40,}={0,2}`)

// named gives the API servers of a dump names in place of addresses of this machine, which
// lead from istiod's pod to the pod itself: a remote secret with one of them is at fault (SEC010).
func named(dir string) error {
	index, err := os.ReadFile(filepath.Join(dir, "fleet.yaml"))
	if err != nil {
		return err
	}
	var fleet struct {
		Clusters []struct{ Context, Server string }
	}
	if err := yaml.Unmarshal(index, &fleet); err != nil {
		return err
	}
	replace := func(text []byte) []byte {
		for _, c := range fleet.Clusters {
			if c.Server != "" {
				text = bytes.ReplaceAll(text, []byte(c.Server), []byte("https://"+c.Context+".example:6443"))
			}
		}
		return text
	}
	return filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		text = encoded.ReplaceAllFunc(replace(text), func(value []byte) []byte {
			plain, err := base64.StdEncoding.DecodeString(string(value))
			if err != nil {
				return value
			}
			return []byte(base64.StdEncoding.EncodeToString(replace(plain)))
		})
		return os.WriteFile(path, text, 0o644)
	})
}

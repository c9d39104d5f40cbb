package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"sigs.k8s.io/yaml"
)

// large is how much an archive may have, in bytes: it is in the repository.
const large = 120_000

// secret is what may be in none of them.
var secret = regexp.MustCompile(`PRIVATE KEY|eyJ[A-Za-z0-9_-]{20,}`)

// pack reduces an archive.
func pack(from, to string) error {
	file, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	unpacked, err := gzip.NewReader(file)
	if err != nil {
		return err
	}
	files, written := map[string][]byte{}, time.Time{}
	for archive := tar.NewReader(unpacked); ; {
		head, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return write(files, written, to)
		}
		if err != nil {
			return err
		}
		if head.Typeflag != tar.TypeReg {
			continue
		}
		text, err := io.ReadAll(archive)
		if err != nil {
			return err
		}
		files[path.Clean(head.Name)] = text
		if head.ModTime.After(written) {
			written = head.ModTime
		}
	}
}

// packFolder makes an archive of a folder, reduced.
func packFolder(dir, to string) error {
	files := map[string][]byte{}
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		below, err := filepath.Rel(dir, name)
		files[filepath.ToSlash(below)] = text
		return err
	})
	if err != nil {
		return err
	}
	return write(files, time.Now(), to)
}

// write writes what is kept of files.
func write(files map[string][]byte, at time.Time, to string) error {
	var packed bytes.Buffer
	compressed, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return err
	}
	archive := tar.NewWriter(compressed)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		text, err := kept(name, files[name])
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if text == nil {
			continue
		}
		if found := secret.Find(text); found != nil {
			return fmt.Errorf("%s: there is something secret in it: %.20s…", name, found)
		}
		head := &tar.Header{Typeflag: tar.TypeReg, Name: name, Size: int64(len(text)), Mode: 0o644, ModTime: at.UTC().Truncate(time.Second)}
		if err := archive.WriteHeader(head); err != nil {
			return err
		}
		if _, err := archive.Write(text); err != nil {
			return err
		}
	}
	if err := errors.Join(archive.Close(), compressed.Close()); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "%s: %d bytes\n", to, packed.Len())
	if packed.Len() > large {
		return fmt.Errorf("%s has %d bytes, more than %d", to, packed.Len(), large)
	}
	return os.WriteFile(to, packed.Bytes(), 0o644)
}

// pages are those of istiod's debug interface that are read.
var pages = []string{"clusterz", "endpointShardz", "syncz", "ambientz", "networkz"}

// kept is what is kept of a file; nil for nothing of it. What is not read keeps its name, and has no content.
func kept(name string, text []byte) ([]byte, error) {
	base := path.Base(name)
	switch {
	case base == "bug-report.log":
		out := bytes.NewBuffer([]byte{})
		for line := range bytes.Lines(text) {
			if bytes.Contains(line, []byte("STARTING kubectl get ")) {
				out.Write(line)
			}
		}
		return out.Bytes(), nil
	case strings.HasSuffix(base, ".log"), base == "logs.txt":
		return []byte{}, nil
	case strings.Contains(name, "/debug/") && !slices.Contains(pages, base):
		return []byte{}, nil
	case bytes.HasPrefix(text, []byte("apiVersion: ")):
		var document any
		if err := yaml.Unmarshal(text, &document); err != nil {
			return nil, err
		}
		return yaml.Marshal(reduced(document))
	case strings.HasSuffix(base, ".json"):
		var document any
		if err := json.Unmarshal(text, &document); err != nil {
			return nil, err
		}
		return json.MarshalIndent(reduced(document), "", "    ")
	}
	return text, nil
}

// reduced takes out of objects what nobody reads and is long: who manages which field, what custom resources may
// look like, and what plays the kubelets.
func reduced(v any) any {
	switch v := v.(type) {
	case []any:
		v = slices.DeleteFunc(v, func(item any) bool {
			object, _ := item.(map[string]any)
			group, _ := object["apiVersion"].(string)
			return strings.HasPrefix(group, "kwok.x-k8s.io/")
		})
		for i := range v {
			v[i] = reduced(v[i])
		}
		return v
	case map[string]any:
		for key, value := range v {
			switch key {
			case "managedFields", "openAPIV3Schema", "additionalPrinterColumns", "kubectl.kubernetes.io/last-applied-configuration":
				delete(v, key)
			default:
				v[key] = reduced(value)
			}
		}
	}
	return v
}

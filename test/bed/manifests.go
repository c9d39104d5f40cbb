package bed

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

// errNoClusters is why a folder is no scenario.
var errNoClusters = errors.New("has no folder of a cluster")

// LoadManifests reads a scenario: a folder with a folder per cluster, in which
// all files that end in .yaml, .yml or .json are manifests of one or more
// documents. Lists are taken apart.
func LoadManifests(dir string) (map[string][]*unstructured.Unstructured, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("read the scenario: %w", err)
	}
	clusters := map[string][]*unstructured.Unstructured{}
	for _, entry := range entries {
		if !entry.IsDir() || strings.HasPrefix(entry.Name(), ".") {
			continue
		}
		if clusters[entry.Name()], err = loadFolder(filepath.Join(dir, entry.Name())); err != nil {
			return nil, err
		}
	}
	if len(clusters) == 0 {
		return nil, fmt.Errorf("the scenario %s %w", dir, errNoClusters)
	}
	return clusters, nil
}

// loadFolder reads the manifests of a folder and those below it.
func loadFolder(dir string) ([]*unstructured.Unstructured, error) {
	var objects []*unstructured.Unstructured
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("read the scenario: %w", err)
		}
		switch filepath.Ext(path) {
		case ".yaml", ".yml", ".json":
		default:
			return nil
		}
		if entry.IsDir() {
			return nil
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return fmt.Errorf("read the scenario: %w", err)
		}
		inFile, err := parseManifests(content)
		if err != nil {
			return fmt.Errorf("manifest %s: %w", path, err)
		}
		objects = append(objects, inFile...)
		return nil
	})
	return objects, err
}

// parseManifests reads the objects of all documents of a file.
func parseManifests(content []byte) ([]*unstructured.Unstructured, error) {
	var objects []*unstructured.Unstructured
	documents := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(content)))
	for number := 1; ; number++ {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return objects, nil
		}
		if err != nil {
			return nil, fmt.Errorf("document %d: %w", number, err)
		}
		inDocument, err := parseDocument(document)
		if err != nil {
			return nil, fmt.Errorf("document %d: %w", number, err)
		}
		objects = append(objects, inDocument...)
	}
}

// parseDocument reads the object of a document, or those of a list, or nothing
// from a document of comments.
func parseDocument(document []byte) ([]*unstructured.Unstructured, error) {
	json, err := yaml.YAMLToJSONStrict(document)
	if err != nil {
		return nil, err
	}
	if bytes.Equal(json, []byte("null")) {
		return nil, nil
	}
	object := &unstructured.Unstructured{}
	if err := object.UnmarshalJSON(json); err != nil {
		return nil, err
	}
	if !object.IsList() {
		return []*unstructured.Unstructured{object}, check(object)
	}
	list, err := object.ToList()
	if err != nil {
		return nil, err
	}
	var objects []*unstructured.Unstructured
	for i := range list.Items {
		if err := check(&list.Items[i]); err != nil {
			return nil, fmt.Errorf("item %d: %w", i+1, err)
		}
		objects = append(objects, &list.Items[i])
	}
	return objects, nil
}

// check says what an object lacks to be applied.
func check(object *unstructured.Unstructured) error {
	switch {
	case object.GetAPIVersion() == "":
		return errors.New("it has no apiVersion")
	case object.GetKind() == "":
		return errors.New("it has no kind")
	case object.GetName() == "":
		return fmt.Errorf("the %s has no metadata.name", object.GetKind())
	}
	return nil
}

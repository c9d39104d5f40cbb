// Package image makes a container image of the plugins from the archives of a release: an OCI image layout
// (https://github.com/opencontainers/image-spec, image-layout.md), without a container engine and without the
// network. It has no base image, so that nothing in it is older than the release: the programs, the roots of
// public CAs, and a user.
package image

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// Media types of the image specification.
const (
	typeIndex    = "application/vnd.oci.image.index.v1+json"
	typeManifest = "application/vnd.oci.image.manifest.v1+json"
	typeConfig   = "application/vnd.oci.image.config.v1+json"
	typeLayer    = "application/vnd.oci.image.layer.v1.tar+gzip"
)

// User is whom the image runs as: numbers, which Kubernetes can tell from root.
const User = "65532:65532"

const (
	bin  = "usr/local/bin"
	home = "home/nonroot"
)

// Platform is what the image has for an architecture of Linux.
type Platform struct {
	Arch string
	// Archives are those of the plugins for it, each a gzipped tar.
	Archives []string
	// Bills are the bills of materials of their programs.
	Bills []string
}

// Image is what an image is made of.
type Image struct {
	// Version is that of the release, such as v0.1.0; Source the address of the repository.
	Version, Source string
	// Entrypoint is the program that it runs if nothing else is said.
	Entrypoint string
	Platforms  []Platform
}

// Descriptor names a blob.
type Descriptor struct {
	MediaType string            `json:"mediaType"`
	Digest    string            `json:"digest"`
	Size      int               `json:"size"`
	Platform  map[string]string `json:"platform,omitempty"`
}

// index is an index of manifests, and the index of the layout.
type index struct {
	SchemaVersion int               `json:"schemaVersion"`
	MediaType     string            `json:"mediaType"`
	Manifests     []Descriptor      `json:"manifests"`
	Annotations   map[string]string `json:"annotations,omitempty"`
}

type manifest struct {
	SchemaVersion int               `json:"schemaVersion"`
	MediaType     string            `json:"mediaType"`
	Config        Descriptor        `json:"config"`
	Layers        []Descriptor      `json:"layers"`
	Annotations   map[string]string `json:"annotations,omitempty"`
}

type config struct {
	Created      time.Time `json:"created"`
	Architecture string    `json:"architecture"`
	OS           string    `json:"os"`
	Config       struct {
		User       string
		Env        []string
		Entrypoint []string
		WorkingDir string
		Labels     map[string]string
	} `json:"config"`
	RootFS struct {
		Type    string   `json:"type"`
		DiffIDs []string `json:"diff_ids"`
	} `json:"rootfs"`
	History []history `json:"history"`
}

type history struct {
	Created   time.Time `json:"created"`
	CreatedBy string    `json:"created_by"`
}

// Write writes the layout into a folder, which it makes anew, and returns the digest of the image. The same
// archives make the same image.
func Write(dir string, image Image) (digest string, err error) {
	if err := os.RemoveAll(dir); err != nil {
		return "", err
	}
	l := layout{blobs: filepath.Join(dir, "blobs", "sha256")}
	if err := os.MkdirAll(l.blobs, 0o755); err != nil {
		return "", err
	}
	all := index{SchemaVersion: 2, MediaType: typeIndex, Annotations: image.labels()}
	for _, p := range image.Platforms {
		d, err := l.platform(image, p)
		if err != nil {
			return "", fmt.Errorf("linux/%s: %w", p.Arch, err)
		}
		all.Manifests = append(all.Manifests, d)
	}
	top, err := l.document(typeIndex, all)
	if err != nil {
		return "", err
	}
	entry, err := json.Marshal(index{SchemaVersion: 2, MediaType: typeIndex, Manifests: []Descriptor{top}})
	if err != nil {
		return "", err
	}
	return top.Digest, errors.Join(
		os.WriteFile(filepath.Join(dir, "index.json"), entry, 0o644),
		os.WriteFile(filepath.Join(dir, "oci-layout"), []byte(`{"imageLayoutVersion":"1.0.0"}`), 0o644),
	)
}

func (i Image) labels() map[string]string {
	return map[string]string{
		"org.opencontainers.image.title":    "kubectl-mesh",
		"org.opencontainers.image.source":   i.Source,
		"org.opencontainers.image.version":  i.Version,
		"org.opencontainers.image.licenses": "Apache-2.0",
	}
}

// layout writes the blobs of an image.
type layout struct{ blobs string }

func (l layout) blob(mediaType string, content []byte) (Descriptor, error) {
	d := Descriptor{MediaType: mediaType, Digest: digestOf(content), Size: len(content)}
	return d, os.WriteFile(filepath.Join(l.blobs, strings.TrimPrefix(d.Digest, "sha256:")), content, 0o644)
}

func (l layout) document(mediaType string, document any) (Descriptor, error) {
	text, err := json.Marshal(document)
	if err != nil {
		return Descriptor{}, err
	}
	return l.blob(mediaType, text)
}

// platform writes the image of an architecture.
func (l layout) platform(image Image, p Platform) (Descriptor, error) {
	t, err := contents(p)
	if err != nil {
		return Descriptor{}, err
	}
	if !t.programs[image.Entrypoint] {
		return Descriptor{}, fmt.Errorf("none of the archives has %s", image.Entrypoint)
	}
	var zipped bytes.Buffer
	z, err := gzip.NewWriterLevel(&zipped, gzip.BestCompression)
	if err != nil {
		return Descriptor{}, err
	}
	_, err = z.Write(t.tar)
	if err = errors.Join(err, z.Close()); err != nil {
		return Descriptor{}, err
	}
	layer, err := l.blob(typeLayer, zipped.Bytes())
	if err != nil {
		return Descriptor{}, err
	}
	c := config{Created: t.at, Architecture: p.Arch, OS: "linux", History: []history{{t.at, "the archives of release " + image.Version}}}
	c.Config.User, c.Config.WorkingDir, c.Config.Labels = User, "/"+home, image.labels()
	c.Config.Env = []string{"PATH=/" + bin, "HOME=/" + home}
	c.Config.Entrypoint = []string{"/" + bin + "/" + image.Entrypoint}
	c.RootFS.Type, c.RootFS.DiffIDs = "layers", []string{digestOf(t.tar)}
	settings, err := l.document(typeConfig, c)
	if err != nil {
		return Descriptor{}, err
	}
	d, err := l.document(typeManifest, manifest{
		SchemaVersion: 2, MediaType: typeManifest, Config: settings, Layers: []Descriptor{layer}, Annotations: image.labels(),
	})
	d.Platform = map[string]string{"architecture": p.Arch, "os": "linux"}
	return d, err
}

func digestOf(content []byte) string {
	sum := sha256.Sum256(content)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// tree is the file system of an image, as a tar.
type tree struct {
	tar      []byte
	programs map[string]bool
	licensed bool
	at       time.Time // of the commit: that of the files in the archives
}

// file is one of it; a folder where the name ends in a slash.
type file struct {
	name    string
	mode    int64
	owner   int
	content []byte
}

func contents(p Platform) (tree, error) {
	t := tree{programs: map[string]bool{}}
	roots, err := authorities()
	if err != nil {
		return t, err
	}
	const nonroot = 65532
	files := []file{
		{"etc/passwd", 0o644, 0, []byte("root:x:0:0:root:/:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/" + home + ":/sbin/nologin\n")},
		{"etc/group", 0o644, 0, []byte("root:x:0:\nnonroot:x:65532:\n")},
		{"etc/ssl/certs/ca-certificates.crt", 0o644, 0, roots},
		{home + "/", 0o700, nonroot, nil},
		{"tmp/", 0o1777, 0, nil},
	}
	for _, archive := range p.Archives {
		var err error
		if files, err = t.add(files, archive); err != nil {
			return t, fmt.Errorf("%s: %w", archive, err)
		}
	}
	for _, bill := range p.Bills {
		text, err := os.ReadFile(bill)
		if err != nil {
			return t, err
		}
		files = append(files, file{"usr/share/sbom/" + filepath.Base(bill), 0o644, 0, text})
	}
	t.tar, err = pack(files, t.at)
	return t, err
}

// add adds the program of an archive, and the license of the first one.
func (t *tree) add(files []file, archive string) ([]file, error) {
	f, err := os.Open(archive)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	unzipped, err := gzip.NewReader(f)
	if err != nil {
		return nil, err
	}
	found := false
	for r := tar.NewReader(unzipped); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		program := strings.HasPrefix(h.Name, "kubectl-") && !strings.Contains(h.Name, "/")
		if !program && (h.Name != "LICENSE" || t.licensed) {
			continue
		}
		content, err := io.ReadAll(r)
		if err != nil {
			return nil, err
		}
		t.at = h.ModTime.UTC()
		if program {
			found, t.programs[h.Name] = true, true
			files = append(files, file{bin + "/" + h.Name, 0o755, 0, content})
		} else {
			t.licensed = true
			files = append(files, file{"usr/share/licenses/kubectl-mesh/LICENSE", 0o644, 0, content})
		}
	}
	if !found {
		return nil, errors.New("it has no plugin")
	}
	return files, nil
}

// authorities are the CAs that Mozilla trusts, for API servers with a certificate of one of them. One that is
// trusted under a condition cannot be said in a file, and is left out.
func authorities() ([]byte, error) {
	var out bytes.Buffer
	for root := range bundle.Roots() {
		if root.Constraint != nil {
			continue
		}
		if err := pem.Encode(&out, &pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate}); err != nil {
			return nil, err
		}
	}
	return out.Bytes(), nil
}

// pack makes a tar of files, with the folders above them, in the order of their names.
func pack(files []file, at time.Time) ([]byte, error) {
	there := map[string]bool{}
	for _, f := range files {
		if there[f.name] {
			return nil, fmt.Errorf("two files are %s", f.name)
		}
		there[f.name] = true
	}
	for _, f := range slices.Clone(files) {
		for dir := path.Dir(strings.TrimSuffix(f.name, "/")); dir != "."; dir = path.Dir(dir) {
			if !there[dir+"/"] {
				there[dir+"/"] = true
				files = append(files, file{name: dir + "/", mode: 0o755})
			}
		}
	}
	slices.SortFunc(files, func(a, b file) int { return strings.Compare(a.name, b.name) })
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, f := range files {
		h := &tar.Header{Name: f.name, Mode: f.mode, Uid: f.owner, Gid: f.owner, Size: int64(len(f.content)), ModTime: at, Format: tar.FormatPAX}
		if h.Typeflag = tar.TypeReg; strings.HasSuffix(f.name, "/") {
			h.Typeflag = tar.TypeDir
		}
		if err := w.WriteHeader(h); err != nil {
			return nil, err
		}
		if _, err := w.Write(f.content); err != nil {
			return nil, err
		}
	}
	err := w.Close() // writes the end
	return out.Bytes(), err
}

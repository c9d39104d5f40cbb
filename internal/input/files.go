// Package input opens what people have of a cluster: folders, archives, single files and what comes
// on standard input. It gives the files in them, and says which tool wrote them. What others wrote is
// not trusted: sizes are bounded, links are not followed, and nothing is unpacked to a disk.
package input

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Bounds of one source.
const (
	// MostFile is how large a file may be that is read, in bytes. The pods of a cluster of 50,000 take
	// a third of it.
	MostFile = 512 << 20
	// mostStream is how much is read of standard input, in bytes: it is kept in memory.
	mostStream = 512 << 20
	// mostEntries is how many files a source may have.
	mostEntries = 500_000
	// mostRead is how much is read of all wanted files in one go, in bytes.
	mostRead = 4 << 30
	// mostUnpacked is how much an archive may come to, in bytes, also of what is passed over.
	mostUnpacked = 64 << 30
	// mostRatio is how many bytes may come out of one of an archive, beyond slack. Manifests and
	// what proxies say come to thirty.
	mostRatio = 200
	slack     = 64 << 20
	// mostName is how long the path of an entry may be, in bytes.
	mostName = 4096
)

// Why a file, or a source, is not read.
var (
	errTooLarge = fmt.Errorf("the file is larger than %d MB", MostFile>>20)
	errRegular  = errors.New("it is not a regular file")
	errUnread   = errors.New("the file cannot be read")
	errTooMuch  = fmt.Errorf("the files in it come to more than %d GB", mostRead>>30)
	errBomb     = errors.New("it unpacks to more than is reasonable for its size")
	errEntries  = fmt.Errorf("it has more than %d files", mostEntries)
	errStream   = fmt.Errorf("it is larger than %d MB: write it to a file first", mostStream>>20)
)

// Entry is a file of a source.
type Entry struct {
	// Path is where it is in the source, with slashes.
	Path string
	// Modified is when it was written, as far as the source says.
	Modified time.Time
}

// Files are the files of a source. A folder is looked at when it is opened, and its files when
// they are read.
type Files struct {
	// Name is that of the source without its folders and endings: "bug-report-east".
	Name string
	// Folder: the source is a folder, whose files can be looked for again.
	Folder bool
	// Single: the source is one file, and no archive.
	Single bool
	// Links are the entries that are links, of which none is followed.
	Links   []string
	entries []Entry
	// tops are the folders at the top of a folder, also those without a file.
	tops []string
	read reader
}

// reader gives the contents of the wanted files, in any order. An error of it is about all that
// follow; one that use is given, about that file.
type reader func(wanted map[string]bool, use func(path string, text []byte, err error)) error

// Paths are the files, in the order of their names.
func (f *Files) Paths() []string {
	out := make([]string, len(f.entries))
	for i := range f.entries {
		out[i] = f.entries[i].Path
	}
	return out
}

// Modified is when the last of some files was written; zero where the source does not say it.
func (f *Files) Modified(wanted func(path string) bool) time.Time {
	var out time.Time
	for _, e := range f.entries {
		if wanted(e.Path) && e.Modified.After(out) {
			out = e.Modified
		}
	}
	return out
}

// Has reports whether there is a file.
func (f *Files) Has(path string) bool {
	_, ok := slices.BinarySearchFunc(f.entries, path, func(e Entry, p string) int { return strings.Compare(e.Path, p) })
	return ok
}

// Each reads some files. What is wrong with one of them is given with its path; an error is
// about the source, and then not all were read. No error quotes a file.
func (f *Files) Each(paths []string, use func(path string, text []byte, err error)) error {
	wanted := map[string]bool{}
	for _, p := range paths {
		wanted[p] = f.Has(p)
	}
	left := int64(mostRead)
	return f.read(wanted, func(path string, text []byte, err error) {
		if left -= int64(len(text)); left < 0 {
			text, err = nil, errTooMuch
		}
		use(path, text, err)
	})
}

// Text is one file.
func (f *Files) Text(path string) ([]byte, error) {
	out, err := []byte(nil), fs.ErrNotExist
	if failed := f.Each([]string{path}, func(_ string, text []byte, why error) { out, err = text, why }); failed != nil {
		return nil, failed
	}
	return out, err
}

// add takes an entry in.
func (f *Files) add(e Entry) error {
	if len(f.entries) >= mostEntries {
		return errEntries
	}
	f.entries = append(f.entries, e)
	return nil
}

// sorted brings the entries into order. A file that is there twice would hide one of the two.
func (f *Files) sorted() (*Files, error) {
	slices.SortFunc(f.entries, func(a, b Entry) int { return strings.Compare(a.Path, b.Path) })
	for i := 1; i < len(f.entries); i++ {
		if f.entries[i].Path == f.entries[i-1].Path {
			return nil, errors.New("it has two files of the same name")
		}
	}
	return f, nil
}

// Stdin is the path of what comes on standard input.
const Stdin = "-"

// Open opens a source by the path that a user gave. stdin is read where that is Stdin.
func Open(name string, stdin io.Reader) (*Files, error) {
	if name == Stdin {
		return openStream("stdin", stdin)
	}
	info, err := os.Stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, errors.New("there is no such file or folder")
	case err != nil:
		return nil, errors.New("it cannot be opened")
	case info.IsDir():
		files, err := FromFS(os.DirFS(name))
		if err == nil {
			files.Name = baseName(name)
		}
		return files, err
	case info.Mode().Type() == fs.ModeNamedPipe: // of a shell that writes a command as a file
		pipe, err := os.Open(name)
		if err != nil {
			return nil, errors.New("it cannot be opened")
		}
		defer func() { _ = pipe.Close() }()
		return openStream(baseName(name), pipe)
	case !info.Mode().IsRegular():
		return nil, errRegular
	}
	file, err := os.Open(name)
	if err != nil {
		return nil, errors.New("it cannot be opened")
	}
	// It stays open as long as the process: it is read again, and a file that took its place would
	// be another one.
	return openFile(name, file, info.Size(), info.ModTime())
}

// openStream keeps what comes in memory, and opens it.
func openStream(name string, stream io.Reader) (*Files, error) {
	text, err := io.ReadAll(io.LimitReader(stream, mostStream+1))
	switch {
	case err != nil:
		return nil, errUnread
	case len(text) > mostStream:
		return nil, errStream
	case len(bytes.TrimSpace(text[:min(len(text), 4096)])) == 0:
		return nil, errors.New("it is empty")
	}
	return FromText(name, text)
}

// FromText opens what is in memory, an archive or a document.
func FromText(name string, text []byte) (*Files, error) {
	return openFile(name, bytes.NewReader(text), int64(len(text)), time.Time{})
}

// baseName is the name of a file without folders and endings.
func baseName(name string) string {
	base := path.Base(filepath.ToSlash(filepath.Clean(name)))
	if base == "." || base == "/" {
		if whole, err := filepath.Abs(name); err == nil {
			base = filepath.Base(whole)
		}
	}
	for {
		switch ending := path.Ext(base); strings.ToLower(ending) {
		case ".gz", ".tgz", ".tar", ".zip", ".yaml", ".yml", ".json", ".txt":
			if base == ending {
				return base
			}
			base = strings.TrimSuffix(base, ending)
		default:
			return base
		}
	}
}

// FromFS opens a folder. Links to files are followed, as the user made them; links to folders are
// not. What begins with a dot is passed over.
func FromFS(dir fs.FS) (*Files, error) {
	out := &Files{Folder: true}
	err := fs.WalkDir(dir, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil && name == ".":
			return errUnread
		case err != nil:
			return nil //nolint:nilerr // the rest is read all the same: what is missing shows
		case name != "." && strings.HasPrefix(d.Name(), "."):
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		case d.IsDir():
			if name != "." && !strings.Contains(name, "/") {
				out.tops = append(out.tops, name)
			}
			return nil
		}
		info, err := fs.Stat(dir, name)
		if err != nil || info.IsDir() {
			return nil //nolint:nilerr // a link that leads nowhere is no file
		}
		return out.add(Entry{Path: name, Modified: info.ModTime()})
	})
	if err != nil {
		return nil, err
	}
	out.read = func(wanted map[string]bool, use func(string, []byte, error)) error {
		for _, e := range out.entries {
			if wanted[e.Path] {
				text, err := readRegular(dir, e.Path)
				use(e.Path, text, err)
			}
		}
		return nil
	}
	return out.sorted()
}

// readRegular reads a regular file of bounded size: a pipe would wait for ever, and a device
// has no end. Its errors quote nothing of the file.
func readRegular(dir fs.FS, name string) ([]byte, error) {
	info, err := fs.Stat(dir, name)
	switch {
	case err != nil:
		return nil, errUnread
	case !info.Mode().IsRegular():
		return nil, errRegular
	case info.Size() > MostFile:
		return nil, errTooLarge
	}
	// No more than it said: what the kernel makes as it is read says nothing, and may not end.
	f, err := dir.Open(name)
	if err != nil {
		return nil, errUnread
	}
	defer func() { _ = f.Close() }()
	text := make([]byte, info.Size())
	n, err := io.ReadFull(f, text)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return nil, errUnread
	}
	return text[:n], nil
}

// Below are the files of a source that are in a folder of it, named from there; the source itself
// for "." or "".
func (f *Files) Below(folder string) *Files {
	if folder == "." || folder == "" {
		return f
	}
	out := &Files{Name: path.Base(folder), Folder: f.Folder}
	for _, e := range f.entries {
		if rest, ok := strings.CutPrefix(e.Path, folder+"/"); ok {
			out.entries = append(out.entries, Entry{Path: rest, Modified: e.Modified})
		}
	}
	out.read = func(wanted map[string]bool, use func(string, []byte, error)) error {
		whole := map[string]bool{}
		for p, want := range wanted {
			whole[folder+"/"+p] = want
		}
		return f.read(whole, func(p string, text []byte, err error) { use(strings.TrimPrefix(p, folder+"/"), text, err) })
	}
	return out
}

// Folders are the folders at the top of a source, in the order of their names.
func (f *Files) Folders() []string {
	out := slices.Clone(f.tops)
	for _, e := range f.entries {
		if folder, _, ok := strings.Cut(e.Path, "/"); ok && !slices.Contains(out[max(0, len(out)-1):], folder) {
			out = append(out, folder)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

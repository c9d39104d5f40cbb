package input

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"path"
	"strings"
	"time"
)

// openFile opens a file by what it begins with: a tar, compressed by gzip or not, a zip, or a document,
// compressed or not.
func openFile(name string, file io.ReaderAt, size int64, modified time.Time) (*Files, error) {
	head := make([]byte, tarHead)
	n, err := file.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, errUnread
	}
	head = head[:n]
	switch {
	case bytes.HasPrefix(head, []byte("PK\x03\x04")), bytes.HasPrefix(head, []byte("PK\x05\x06")):
		return openZip(name, file, size)
	case isTar(head):
		return openTar(name, func() (io.Reader, error) { return io.NewSectionReader(file, 0, size), nil })
	case bytes.HasPrefix(head, []byte("\x1f\x8b")):
		open := func() (io.Reader, error) { return unpack(file, size) }
		unpacked, err := open()
		if err != nil {
			return nil, err
		}
		n, err := io.ReadFull(unpacked, head[:cap(head)])
		if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, broken(err)
		}
		if isTar(head[:n]) {
			return openTar(name, open)
		}
		return single(name, modified, open), nil
	}
	for magic, what := range map[string]string{"\xfd7zXZ\x00": "xz", "BZh": "bzip2", "\x28\xb5\x2f\xfd": "zstd", "7z\xbc\xaf\x27\x1c": "7z"} {
		if bytes.HasPrefix(head, []byte(magic)) {
			return nil, errors.New("it is compressed by " + what + ", which is not read: unpack it, and name the folder")
		}
	}
	if size > MostFile {
		return nil, errTooLarge
	}
	return single(name, modified, func() (io.Reader, error) { return io.NewSectionReader(file, 0, size), nil }), nil
}

// tarHead is how much of a file tells whether it is a tar.
const tarHead = 512

// isTar looks for the mark of the ustar format, of which all others of today are.
func isTar(head []byte) bool {
	return len(head) == tarHead && bytes.HasPrefix(head[257:], []byte("ustar"))
}

// single is a source of one document.
func single(name string, modified time.Time, open func() (io.Reader, error)) *Files {
	file := path.Base(strings.ReplaceAll(name, "\\", "/"))
	out := &Files{Name: baseName(name), Single: true, entries: []Entry{{Path: file, Modified: modified}}}
	out.read = func(wanted map[string]bool, use func(string, []byte, error)) error {
		if !wanted[file] {
			return nil
		}
		stream, err := open()
		if err != nil {
			return err
		}
		text, err := readBounded(stream)
		use(file, text, err)
		return nil
	}
	return out
}

// readBounded reads a file of an archive.
func readBounded(r io.Reader) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, MostFile+1))
	switch {
	case err != nil:
		return nil, broken(err)
	case len(text) > MostFile:
		return nil, errTooLarge
	}
	return text, nil
}

// broken is why an archive cannot be read on.
func broken(err error) error {
	for _, known := range []error{errBomb, errTooLarge, errTooMuch, errEntries} {
		if errors.Is(err, known) {
			return known
		}
	}
	return errors.New("the archive is damaged, or not whole")
}

// counted counts what is read.
type counted struct {
	io.Reader
	n int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n += int64(n)
	return n, err
}

// bounded fails where more comes out of something packed than is reasonable.
type bounded struct {
	io.Reader
	packed func() int64
	n      int64
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if b.n += int64(n); b.n > mostUnpacked || b.n > slack+mostRatio*b.packed() {
		return 0, errBomb
	}
	return n, err
}

// unpack reads what gzip packed.
func unpack(file io.ReaderAt, size int64) (io.Reader, error) {
	packed := &counted{Reader: io.NewSectionReader(file, 0, size)}
	out, err := gzip.NewReader(packed)
	if err != nil {
		return nil, broken(err)
	}
	return &bounded{Reader: out, packed: func() int64 { return packed.n }}, nil
}

// errPath is a name by which a file would be written outside of the folder that an archive is
// unpacked to. Nothing is unpacked here; but who makes such an archive means no good.
var errPath = errors.New("a file in it has a path that leads out of it: the archive is refused")

// entryPath is the path of an entry of an archive, without what leads nowhere.
func entryPath(name string) (string, error) {
	slashed := strings.ReplaceAll(name, "\\", "/")
	if len(name) > mostName || strings.HasPrefix(slashed, "/") || strings.ContainsRune(name, 0) || len(name) > 1 && name[1] == ':' {
		return "", errPath
	}
	for part := range strings.SplitSeq(slashed, "/") {
		if part == ".." {
			return "", errPath
		}
	}
	return path.Clean(slashed), nil
}

// hidden reports whether a part of a path begins with a dot, as what file systems leave in archives does.
func hidden(name string) bool {
	for part := range strings.SplitSeq(name, "/") {
		if strings.HasPrefix(part, ".") && part != "." {
			return true
		}
	}
	return false
}

// openTar opens a tar. It is read from its beginning each time, and passed over where a file is not wanted.
func openTar(name string, open func() (io.Reader, error)) (*Files, error) {
	out := &Files{Name: baseName(name)}
	each := func(use func(*tar.Header, string, io.Reader) error) error {
		stream, err := open()
		if err != nil {
			return err
		}
		archive := tar.NewReader(stream)
		for {
			head, err := archive.Next()
			switch {
			case errors.Is(err, io.EOF):
				return nil
			case err != nil:
				return broken(err)
			}
			where, err := entryPath(head.Name)
			if err != nil {
				return err
			}
			if hidden(where) {
				continue
			}
			if err := use(head, where, archive); err != nil {
				return err
			}
		}
	}
	err := each(func(head *tar.Header, where string, _ io.Reader) error {
		switch head.Typeflag {
		case tar.TypeReg:
			return out.add(Entry{Path: where, Modified: head.ModTime})
		case tar.TypeSymlink, tar.TypeLink:
			out.Links = append(out.Links, where)
		}
		if len(out.Links) > mostEntries {
			return errEntries
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	out.read = func(wanted map[string]bool, use func(string, []byte, error)) error {
		return each(func(head *tar.Header, where string, r io.Reader) error {
			if head.Typeflag != tar.TypeReg || !wanted[where] {
				return nil
			}
			if head.Size > MostFile {
				use(where, nil, errTooLarge)
				return nil
			}
			text, err := readBounded(r)
			use(where, text, err)
			return err
		})
	}
	return out.sorted()
}

// openZip opens a zip.
func openZip(name string, file io.ReaderAt, size int64) (*Files, error) {
	archive, err := zip.NewReader(file, size)
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) {
		return nil, broken(err)
	}
	out, by := &Files{Name: baseName(name)}, map[string]*zip.File{}
	total := uint64(0)
	for _, z := range archive.File {
		where, err := entryPath(z.Name)
		switch {
		case err != nil:
			return nil, err
		case hidden(where), z.FileInfo().IsDir():
			continue
		case !z.Mode().IsRegular():
			out.Links = append(out.Links, where)
			continue
		}
		if total += z.UncompressedSize64; total > mostUnpacked {
			return nil, errBomb
		}
		if err := out.add(Entry{Path: where, Modified: z.Modified}); err != nil {
			return nil, err
		}
		by[where] = z
	}
	out.read = func(wanted map[string]bool, use func(string, []byte, error)) error {
		for _, e := range out.entries {
			if !wanted[e.Path] {
				continue
			}
			text, err := readZipped(by[e.Path])
			use(e.Path, text, err)
		}
		return nil
	}
	return out.sorted()
}

// readZipped reads a file of a zip. What its header says of its size is not trusted.
func readZipped(z *zip.File) ([]byte, error) {
	if z.UncompressedSize64 > MostFile {
		return nil, errTooLarge
	}
	stream, err := z.Open()
	if err != nil {
		return nil, broken(err)
	}
	defer func() { _ = stream.Close() }()
	return readBounded(&bounded{Reader: stream, packed: func() int64 { return int64(min(z.CompressedSize64, MostFile)) }})
}

package image

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestPack(t *testing.T) {
	at := time.Unix(1_800_000_000, 0)
	text, err := pack([]file{{"usr/bin/b", 0o755, 0, []byte("b")}, {"tmp/", 0o1777, 0, nil}, {"usr/a", 0o644, 7, []byte("a")}}, at)
	if err != nil {
		t.Fatal(err)
	}
	if end := make([]byte, 1024); !bytes.HasSuffix(text, end) {
		t.Error("it has no end, which tar misses")
	}
	var got []string
	for r := tar.NewReader(bytes.NewReader(text)); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if !h.ModTime.Equal(at) || h.Uid != h.Gid || (h.Uid == 7) != (h.Name == "usr/a") {
			t.Errorf("%+v", h)
		}
		got = append(got, h.FileInfo().Mode().String()+" "+h.Name)
	}
	want := []string{"dtrwxrwxrwx tmp/", "drwxr-xr-x usr/", "-rw-r--r-- usr/a", "drwxr-xr-x usr/bin/", "-rwxr-xr-x usr/bin/b"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if _, err := pack([]file{{name: "a"}, {name: "a"}}, at); err == nil || !strings.Contains(err.Error(), "two files are a") {
		t.Errorf("%v", err)
	}
}

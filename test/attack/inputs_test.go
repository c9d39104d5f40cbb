package attack

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/kubectl-mesh/kubectl-mesh/internal/dump"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// dumped writes a healthy mesh of two clusters as dump does.
func dumped(t *testing.T) string {
	t.Helper()
	folder := filepath.Join(t.TempDir(), "fleet")
	if err := dump.Write(folder, istiotest.Networked("east", "west").Serve().Facts(), resources.All); err != nil {
		t.Fatal(err)
	}
	return folder
}

// from checks a dump.
func from(area, plugin, folder string, args ...string) try {
	verify := []string{"verify"}
	if plugin == check {
		verify = nil
	}
	return try{area: area, plugin: plugin, args: append(append(verify, "--from", folder), args...), never: []string{"root:x:0", "PRIVATE KEY"}}
}

// strange are what a file of a dump may be instead.
func strange(t *testing.T) map[string]func(path string) {
	t.Helper()
	write := func(body []byte) func(string) {
		return func(path string) {
			if err := os.WriteFile(path, body, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	// many writes what is large in pieces: what this process once had counts as the memory of those
	// that it starts.
	many := func(piece string, times int) func(string) {
		return func(path string) {
			f, err := os.Create(path) // #nosec G304 -- it is the test's
			if err != nil {
				t.Fatal(err)
			}
			for range times {
				if _, err := f.WriteString(piece); err != nil {
					t.Fatal(err)
				}
			}
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
	link := func(to string) func(string) {
		return func(path string) {
			if err := os.Symlink(to, path); err != nil {
				t.Fatal(err)
			}
		}
	}
	var packed bytes.Buffer
	g := gzip.NewWriter(&packed)
	for range 64 {
		_, _ = g.Write(bytes.Repeat([]byte("a: b\n"), 1<<18))
	}
	_ = g.Close()
	aliases := "a: &a [x,x,x,x,x,x,x,x,x]\n"
	for i := 'b'; i <= 'k'; i++ {
		aliases += fmt.Sprintf("%c: &%c [*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c]\n", i, i, i-1, i-1, i-1, i-1, i-1, i-1, i-1, i-1, i-1)
	}
	pod := "apiVersion: v1\nkind: Pod\nmetadata: {name: a, namespace: b}\n"
	return map[string]func(string){
		"nothing":                   write(nil),
		"binary":                    write(bytes.Repeat([]byte{0, 0xff, 0x1b}, 10_000)),
		"blanks, 100 MB":            many(strings.Repeat(" ", 1<<20), 100),
		"one line, 40 MB":           many(strings.Repeat("x", 1<<20), 40),
		"a million documents":       write(bytes.Repeat([]byte("---\n"), 1_000_000)),
		"many objects":              write([]byte(strings.Repeat(pod+"---\n", 50_000))),
		"deep JSON":                 write([]byte(strings.Repeat(`{"a":[`, 200_000))),
		"deep YAML":                 write([]byte(strings.Repeat("[", 200_000))),
		"aliases of aliases":        write([]byte(aliases)),
		"an alias with a secret":    write([]byte(pod + "data: *" + secret + "\n")),
		"a tag":                     write([]byte("!!python/object/apply:os.system ['touch pwned']\n")),
		"a tag with a secret":       write([]byte("!" + secret + " {}\n")),
		"a bomb of gzip":            write(packed.Bytes()),
		"a key":                     write([]byte("-----BEGIN EC PRIVATE KEY-----\n" + secret + "\n-----END EC PRIVATE KEY-----\n")),
		"broken, with a token":      write([]byte("token: " + secret + "\n  : : :\n\t- {")),
		"numbers for everything":    write([]byte("apiVersion: 1\nkind: 2\nmetadata: 3\nspec: 4\n")),
		"null":                      write([]byte("null")),
		"a list of null":            write([]byte(`{"apiVersion":"v1","kind":"List","items":[null,{},1,"` + secret + `"]}`)),
		"a list in a list":          write([]byte(strings.Repeat(`{"apiVersion":"v1","kind":"List","items":[`, 5000) + strings.Repeat("]}", 5000))),
		"a huge number":             write([]byte(pod + "spec: {priority: 1e999, terminationGracePeriodSeconds: 99999999999999999999}\n")),
		"controls in names":         write([]byte("apiVersion: v1\nkind: Pod\nmetadata: {name: \"a\\e[31m\\x07\\u202e\", namespace: \"b\\n\\x9b\"}\n")),
		"a link to a file":          link("/etc/passwd"),
		"a link to itself":          link("."),
		"a link to nowhere":         link("/nowhere/at/all"),
		"a link to what never ends": link("/dev/zero"),
		"a folder": func(path string) {
			if err := os.MkdirAll(filepath.Join(path, "..", filepath.Base(path), "deep", "er"), 0o700); err != nil {
				t.Fatal(err)
			}
		},
	}
}

// Files of a dump that are something else, beside those that it has and in the place of each kind.
func TestStrangeFiles(t *testing.T) {
	places := []string{"zzz.yaml", "pods.yaml", "secret-cacerts.yaml", filepath.Join("..", dump.IndexFile)}
	i := 0
	for name, put := range strange(t) {
		for _, place := range places {
			if i++; !*all && i%4 != 0 {
				continue
			}
			plugin := plugins[i%len(plugins)]
			t.Run(plugin+" "+name+" as "+filepath.Base(place), func(t *testing.T) {
				folder := dumped(t)
				path := filepath.Join(folder, "east", place)
				if err := os.RemoveAll(path); err != nil {
					t.Fatal(err)
				}
				put(path)
				from("strange files in a dump", plugin, folder).do(t)
				if _, err := os.Lstat(filepath.Join(folder, "pwned")); err == nil {
					t.Error("a program was run")
				}
			})
		}
	}
}

// Indexes that say something else than what there is, and lead out of the folder.
func TestStrangeIndexes(t *testing.T) {
	for name, index := range map[string]string{
		"null": "null", "a list": "[]", "a number": "7", "a string": `"` + secret + `"`, "empty": "",
		"clusters are null":        `{"apiVersion":"kubectl-mesh/v1","kind":"Fleet","clusters":null}`,
		"clusters are numbers":     `{"apiVersion":"kubectl-mesh/v1","kind":"Fleet","clusters":[1,2]}`,
		"another version":          `{"apiVersion":"kubectl-mesh/v99","kind":"Fleet","clusters":[]}`,
		"a path that leads out":    `{"apiVersion":"kubectl-mesh/v1","kind":"Fleet","clusters":[{"context":"../../etc"}]}`,
		"an absolute path":         `{"apiVersion":"kubectl-mesh/v1","kind":"Fleet","clusters":[{"context":"/etc"}]}`,
		"a context of nothing":     `{"apiVersion":"kubectl-mesh/v1","kind":"Fleet","clusters":[{"context":""}]}`,
		"the same context twice":   `{"apiVersion":"kubectl-mesh/v1","kind":"Fleet","clusters":[{"context":"east"},{"context":"east"}]}`,
		"a namespace with a shell": `{"apiVersion":"kubectl-mesh/v1","kind":"Fleet","clusters":[{"context":"east","systemNamespace":"a;touch pwned"}]}`,
		"100,000 clusters": `{"apiVersion":"kubectl-mesh/v1","kind":"Fleet","clusters":[` +
			strings.Repeat(`{"context":"a"},`, 100_000) + `{"context":"b"}]}`,
	} {
		for _, plugin := range part(plugins, 4) {
			t.Run(plugin+" "+name, func(t *testing.T) {
				folder := dumped(t)
				if err := os.WriteFile(filepath.Join(folder, dump.IndexFile), []byte(index), 0o600); err != nil {
					t.Fatal(err)
				}
				from("strange indexes of a dump", plugin, folder).do(t)
			})
		}
	}
}

// What --from may be that is no dump.
func TestStrangeFolders(t *testing.T) {
	folder := t.TempDir()
	loop := filepath.Join(folder, "loop")
	if err := os.Symlink(loop, loop); err != nil {
		t.Fatal(err)
	}
	for _, what := range []string{"", "/dev/null", "/dev/zero", "/etc/passwd", "/etc", "/proc/self", loop, folder, "/nowhere", "a\x1b[31mb", strings.Repeat("x", 5000)} {
		for _, plugin := range part(plugins, 4) {
			t.Run(plugin+" "+short(what[:min(len(what), 20)]), func(t *testing.T) {
				a := from("what is no dump", plugin, what)
				a.codes = []int{2}
				if what == "" {
					a.codes = nil // as if it was not given
				}
				a.do(t)
			})
		}
	}
}

// change changes one value of a document at random.
func change(random *rand.Rand, v any) any {
	odd := []any{
		nil, true, -1, 1e300, "", "x", []any{}, map[string]any{}, []any{nil}, strings.Repeat("9", 400), "\u202e\x1b[31m", "-1", "0001-01-01T00:00:00Z",
		map[string]any{"a": map[string]any{"a": nil}},
	}
	switch v := v.(type) {
	case map[string]any:
		if len(v) > 0 && random.IntN(8) > 0 {
			at := random.IntN(len(v))
			for key := range v { // their order is at random as well
				if at == 0 {
					v[key] = change(random, v[key])
					return v
				}
				at--
			}
		}
	case []any:
		if len(v) > 0 && random.IntN(8) > 0 {
			at := random.IntN(len(v))
			v[at] = change(random, v[at])
			return v
		}
	}
	return odd[random.IntN(len(odd))]
}

// Objects with values of other types, and out of range.
func TestRandomChanges(t *testing.T) {
	random := rand.New(rand.NewPCG(1, uint64(time.Now().UnixNano()))) // #nosec G404 -- nothing depends on it
	runs := 40
	if *all {
		runs = 750
	}
	original := dumped(t)
	var files []string
	err := filepath.WalkDir(original, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && filepath.Base(path) != dump.IndexFile {
			files = append(files, path)
		}
		return err
	})
	if err != nil || len(files) < 20 {
		t.Fatalf("%d files: %v", len(files), err)
	}
	// Without an index files need not be what they were when it was written.
	if err := os.Remove(filepath.Join(original, dump.IndexFile)); err != nil {
		t.Fatal(err)
	}
	for i := range runs {
		folder := filepath.Join(t.TempDir(), "fleet")
		if err := os.CopyFS(folder, os.DirFS(original)); err != nil {
			t.Fatal(err)
		}
		var changed []byte
		for range 1 + random.IntN(3) {
			file := files[random.IntN(len(files))]
			path := filepath.Join(folder, strings.TrimPrefix(file, original))
			text, err := os.ReadFile(path) // #nosec G304 -- it is the test's
			if err != nil {
				t.Fatal(err)
			}
			documents := strings.Split(string(text), "\n---\n")
			at := random.IntN(len(documents))
			var v any
			if err := yaml.Unmarshal([]byte(documents[at]), &v); err != nil {
				t.Fatal(err)
			}
			if changed, err = json.Marshal(change(random, v)); err != nil {
				t.Fatal(err)
			}
			documents[at] = string(changed)
			if err := os.WriteFile(path, []byte(strings.Join(documents, "\n---\n")), 0o600); err != nil { // #nosec G703 -- it is the test's
				t.Fatal(err)
			}
		}
		if from("random changes of objects", plugins[i%len(plugins)], folder, "-o", []string{"table", "json", "wide"}[i%3]).do(t); t.Failed() {
			t.Fatalf("the last object that was changed: %s", short(string(changed)))
		}
	}
}

package envoy

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// What is read of one answer at most. A proxy of a mesh with 100,000 endpoints
// says some 100 MB.
const (
	maxBytes     = 512 << 20 // of the whole answer
	maxElement   = 32 << 20  // of what is passed over in one piece
	maxEndpoint  = 1 << 20   // of one endpoint
	maxEndpoints = 200_000   // that are kept
)

// errTooLarge is what an answer beyond a limit comes to.
var errTooLarge = errors.New("it says far more than any proxy has to say")

// meter counts what is read, and ends at a limit.
type meter struct {
	r       io.Reader
	total   int64 // left of the whole answer
	element int64 // left of what is being read
}

func (m *meter) Read(p []byte) (int, error) {
	left := min(m.total, m.element)
	if left <= 0 {
		return 0, errTooLarge
	}
	n, err := m.r.Read(p[:min(int64(len(p)), left)])
	m.total, m.element = m.total-int64(n), m.element-int64(n)
	return n, err
}

// scan goes through a JSON document as it arrives, and keeps no more of it than the
// element at which it is.
type scan struct {
	dec   *json.Decoder
	meter *meter
	kept  int // endpoints so far
}

func newScan(r io.Reader) *scan {
	m := &meter{r: r, total: maxBytes}
	return &scan{dec: json.NewDecoder(m), meter: m}
}

// next is the next token.
func (s *scan) next() (json.Token, error) {
	s.meter.element = maxElement
	return s.dec.Token()
}

// object goes through the fields of an object; each has to consume the value. Names of
// fields are without underscores and in lower case: Envoy spells them lb_endpoints, and
// istiod lbEndpoints. A null counts as an empty object.
func (s *scan) object(each func(field string) error) error {
	return s.within('{', s.field(each))
}

func (s *scan) field(each func(field string) error) func() error {
	return func() error {
		token, err := s.next()
		if err != nil {
			return err
		}
		name, ok := token.(string)
		if !ok {
			return fmt.Errorf("%.40v where a name should be", token)
		}
		return each(plain(name))
	}
}

// array goes through the elements of an array; each has to consume one.
func (s *scan) array(each func() error) error { return s.within('[', each) }

func (s *scan) within(open json.Delim, each func() error) error {
	switch token, err := s.next(); {
	case err != nil:
		return err
	case token == nil:
		return nil
	case token != open:
		return fmt.Errorf("%.40v where %v should be", token, open)
	}
	return s.rest(each)
}

// rest goes through what is left of an object or an array that was opened.
func (s *scan) rest(each func() error) error {
	for s.dec.More() {
		if err := each(); err != nil {
			return err
		}
	}
	_, err := s.next()
	return err
}

// skip passes over a value.
func (s *scan) skip() error { return s.decode(&ignored{}, maxElement) }

// skipList passes over a list element by element, of which none is large.
func (s *scan) skipList() error {
	return s.array(func() error { return s.decode(&ignored{}, maxEndpoint) })
}

// decode reads a value of at most limit bytes.
func (s *scan) decode(into any, limit int64) error {
	s.meter.element = limit
	return s.dec.Decode(into)
}

// keep counts an endpoint.
func (s *scan) keep() error {
	if s.kept++; s.kept > maxEndpoints {
		return errTooLarge
	}
	return nil
}

// end reports anything that follows the document.
func (s *scan) end() error {
	switch _, err := s.next(); {
	case errors.Is(err, io.EOF):
		return nil
	case err != nil:
		return err
	}
	return errors.New("there is something after its end")
}

type ignored struct{}

func (*ignored) UnmarshalJSON([]byte) error { return nil }

func plain(name string) string { return strings.ToLower(strings.ReplaceAll(name, "_", "")) }

// tree is a JSON object whose fields are found in either spelling.
type tree map[string]any

// at follows fields; nil where there is no such object. Names are in Envoy's spelling.
func (t tree) at(path ...string) tree {
	for _, name := range path {
		o, _ := t.value(name).(map[string]any)
		t = o
	}
	return t
}

func (t tree) value(name string) any {
	if v, ok := t[name]; ok {
		return v
	}
	return t[camel(name)]
}

func (t tree) text(name string) string {
	s, _ := t.value(name).(string)
	return s
}

// number is a whole number, 0 for anything else.
func (t tree) number(name string) uint32 {
	f, ok := t.value(name).(float64)
	if !ok || f < 0 || f > 1<<32-1 || f != float64(uint32(f)) {
		return 0
	}
	return uint32(f)
}

func camel(name string) string {
	parts := strings.Split(name, "_")
	for i := 1; i < len(parts); i++ {
		if parts[i] != "" {
			parts[i] = strings.ToUpper(parts[i][:1]) + parts[i][1:]
		}
	}
	return strings.Join(parts, "")
}

package ask

import (
	"bytes"
	"fmt"
	"io"

	"github.com/go-json-experiment/json/jsontext"
)

// scan goes through a JSON document as it arrives, and keeps nothing of what it passes
// over. It is three times as fast as encoding/json, which counts where a control plane says tens
// of megabytes.
type scan struct{ *jsontext.Decoder }

// newScan reads so many bytes at most, and of one name or text no more than mostToken. It takes what encoding/json takes.
func newScan(r io.Reader, most int64) scan {
	b := &bounded{Reader: r, left: most}
	s := scan{jsontext.NewDecoder(b, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))}
	b.used = s.InputOffset
	return s
}

// object goes through the members of an object; each has to read the value, or to skip it,
// and may not keep the name. A null counts as an empty object.
func (s scan) object(each func(name []byte) error) error {
	return s.within(jsontext.KindBeginObject, func() error {
		name, err := s.quoted()
		if err != nil {
			return err
		}
		return each(name)
	})
}

// list goes through the elements of a list; each has to read one, or to skip it. A null
// counts as an empty list.
func (s scan) list(each func() error) error { return s.within(jsontext.KindBeginArray, each) }

func (s scan) within(open jsontext.Kind, each func() error) error {
	token, err := s.ReadToken()
	if err != nil || token.Kind() == jsontext.KindNull {
		return err
	}
	if token.Kind() != open {
		return unexpected(token)
	}
	for s.PeekKind() > 0 && s.PeekKind() != jsontext.KindEndObject && s.PeekKind() != jsontext.KindEndArray {
		if err := each(); err != nil {
			return err
		}
	}
	_, err = s.ReadToken()
	return err
}

// text reads a string; a null is "".
func (s scan) text() (string, error) {
	text, err := s.passing()
	return string(text), err
}

// passing reads a string, which holds until more is read; a null is empty.
func (s scan) passing() ([]byte, error) {
	switch kind := s.PeekKind(); kind {
	case jsontext.KindString:
		return s.quoted()
	default:
		token, err := s.ReadToken()
		if err != nil || kind == jsontext.KindNull {
			return nil, err
		}
		return nil, unexpected(token)
	}
}

// quoted is what is in the quotes of a string.
func (s scan) quoted() ([]byte, error) {
	quoted, err := s.ReadValue()
	if err != nil {
		return nil, err
	}
	if text := quoted[1 : len(quoted)-1]; bytes.IndexByte(text, '\\') < 0 {
		return text, nil
	}
	return jsontext.AppendUnquote(nil, quoted)
}

func unexpected(token jsontext.Token) error { return fmt.Errorf("unexpected %v", token.Kind()) }

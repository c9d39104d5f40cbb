package kinds

import (
	"bytes"
	"errors"
	"io"

	"k8s.io/apimachinery/pkg/runtime"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
)

// errNoDocuments is what cannot be read; what the decoder says of it would quote it.
var errNoDocuments = errors.New("it is not YAML or JSON")

// ErrNoObject says that a document is no object of Kubernetes.
var ErrNoObject = errors.New("a document in it is not a Kubernetes object with apiVersion and kind")

// Documents hands over the documents of a text in YAML or JSON, each as JSON, until one is an error; empty ones are passed over.
// Its own error quotes nothing of the text.
func Documents(text []byte, each func(document []byte) error) error {
	documents := utilyaml.NewYAMLOrJSONDecoder(bytes.NewReader(text), 4096)
	for {
		var raw runtime.RawExtension
		err := documents.Decode(&raw)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return errNoDocuments
		}
		if len(bytes.TrimSpace(raw.Raw)) == 0 || bytes.Equal(raw.Raw, []byte("null")) {
			continue
		}
		if err := each(raw.Raw); err != nil {
			return err
		}
	}
}

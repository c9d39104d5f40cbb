package survey

import (
	"bytes"
	"context"
	"fmt"
	"reflect"

	"google.golang.org/protobuf/encoding/protowire"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"

	"github.com/kubectl-mesh/kubectl-mesh/internal/kinds"
)

// pageSize is the number of items that are asked for at once; kubectl's.
const pageSize = 500

// list reads all pages of a list, and keeps of each item what trim keeps. At most two
// pages are in memory at once, as they were received: the one whose items are decoded
// and trimmed, one after another, and the one that arrives meanwhile.
func list[L, T, O any, PL interface {
	*L
	runtime.Object
}, P interface {
	*T
	runtime.Object
}](ctx context.Context, c rest.Interface, resource, namespace string, options metav1.ListOptions, trim func(P) *O) ([]O, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // of a page that nobody waits for any more
	options.Limit = pageSize
	ask := func(options metav1.ListOptions) <-chan rest.Result {
		page := make(chan rest.Result, 1)
		go func() {
			page <- c.Get().NamespaceIfScoped(namespace, namespace != "").Resource(resource).
				VersionedParams(&options, kinds.ParameterCodec).Do(ctx)
		}()
		return page
	}
	var out []O
	for next := ask(options); next != nil; {
		p, err := open[L, T, PL, P](<-next)
		if err != nil {
			return nil, err
		}
		next = nil
		if options.Continue = p.next; options.Continue != "" {
			options.ResourceVersion = "" // it is that of the first page
			next = ask(options)
		}
		if err = p.each(func(item P) { out = append(out, *trim(item)) }); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// page is a part of a list; each hands its items over, one after another.
type page[P any] struct {
	next string // the token of the one that follows; "" of the last
	each func(use func(P)) error
}

// open reads the head of a page. The items of one in protobuf are decoded when they are
// handed over: a pod is several times as large in memory as on the wire.
func open[L, T any, PL interface {
	*L
	runtime.Object
}, P interface {
	*T
	runtime.Object
}](result rest.Result) (page[P], error) {
	if err := result.Error(); err != nil {
		return page[P]{}, err
	}
	body, _ := result.Raw()
	if kind, fields, ok := protobufOf(body); ok && kind != "Status" {
		if want := reflect.TypeFor[L]().Name(); kind != want {
			return page[P]{}, fmt.Errorf("the answer is a %s, not a %s", kind, want)
		}
		return openProtobuf[T, P](fields)
	}
	objects := PL(new(L))
	if err := result.Into(objects); err != nil {
		return page[P]{}, err
	}
	m, err := meta.ListAccessor(objects)
	if err != nil {
		return page[P]{}, err
	}
	return page[P]{next: m.GetContinue(), each: func(use func(P)) error {
		return meta.EachListItem(objects, func(o runtime.Object) error {
			item, ok := o.(P)
			if !ok {
				return fmt.Errorf("the list holds an object of type %T", o)
			}
			use(item)
			return nil
		})
	}}, nil
}

// protobufOf is the kind and the message of an object in Kubernetes' protobuf, without its
// envelope: https://kubernetes.io/docs/reference/using-api/api-concepts/#protobuf-encoding-idl.
func protobufOf(body []byte) (kind string, message []byte, ok bool) {
	envelope, ok := bytes.CutPrefix(body, []byte("k8s\x00"))
	if !ok {
		return "", nil, false
	}
	var object runtime.Unknown
	if object.Unmarshal(envelope) != nil {
		return "", nil, false
	}
	return object.Kind, object.Raw, true
}

// The fields of every list of Kubernetes.
const (
	fieldListMeta protowire.Number = 1
	fieldItems    protowire.Number = 2
)

func openProtobuf[T any, P interface {
	*T
	runtime.Object
}](message []byte) (page[P], error) {
	var m metav1.ListMeta
	err := eachField(message, func(field protowire.Number, value []byte) error {
		if field == fieldListMeta {
			return m.Unmarshal(value)
		}
		return nil
	})
	return page[P]{next: m.Continue, each: func(use func(P)) error {
		return eachField(message, func(field protowire.Number, value []byte) error {
			if field != fieldItems {
				return nil
			}
			item := P(new(T))
			message, ok := any(item).(interface{ Unmarshal([]byte) error })
			if !ok {
				return fmt.Errorf("there is no protobuf of %T", item)
			}
			if err := message.Unmarshal(value); err != nil {
				return err
			}
			use(item)
			return nil
		})
	}}, err
}

// eachField hands over the fields of a message that are messages themselves.
func eachField(message []byte, use func(protowire.Number, []byte) error) error {
	for len(message) > 0 {
		field, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			return protowire.ParseError(n)
		}
		message = message[n:]
		if kind != protowire.BytesType {
			if n = protowire.ConsumeFieldValue(field, kind, message); n < 0 {
				return protowire.ParseError(n)
			}
			message = message[n:]
			continue
		}
		value, n := protowire.ConsumeBytes(message)
		if n < 0 {
			return protowire.ParseError(n)
		}
		if err := use(field, value); err != nil {
			return err
		}
		message = message[n:]
	}
	return nil
}

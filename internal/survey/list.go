package survey

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"

	"github.com/kubectl-mesh/kubectl-mesh/internal/kinds"
	"github.com/kubectl-mesh/kubectl-mesh/internal/printable"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
)

// pageSize is the number of items that are asked for at once; kubectl's.
const pageSize = 500

// listing is a list to read: where it is, and what it and its items are decoded into.
type listing struct {
	client              rest.Interface
	resource, namespace string // the namespace is "" for all, or for none
	list, item          func() runtime.Object
	// expect hears after each page how many items the server says that are still to come; nil where nobody asks.
	expect func(more int)
}

// ask asks for one page, which is about so large, in bytes; 0 where nobody knows.
func (l listing) ask(ctx context.Context, options metav1.ListOptions, size int) answer {
	return read(ctx, with(l.client.Get().NamespaceIfScoped(l.namespace, l.namespace != "").Resource(l.resource), options), size)
}

// with adds the options of a list to a request. They are the same for all groups.
func with(request *rest.Request, options metav1.ListOptions) *rest.Request {
	return request.SpecificallyVersionedParams(&options, metav1.ParameterCodec, metav1.SchemeGroupVersion)
}

// all hands over the items of all pages, one after another. At most two
// pages are in memory at once, as they were received: the one whose items are decoded
// and trimmed, and the one that arrives meanwhile.
func (l listing) all(ctx context.Context, options metav1.ListOptions, use func(runtime.Object) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // of a page that nobody waits for any more
	options.Limit = pageSize
	size := 0
	ask := func(options metav1.ListOptions) <-chan answer {
		page, size := make(chan answer, 1), size
		go func() { page <- l.ask(ctx, options, size) }()
		return page
	}
	for next := ask(options); next != nil; {
		a := <-next
		p, err := l.open(a)
		if err != nil {
			return err
		}
		next = nil
		if p.next != "" && p.next == options.Continue {
			return errEndless
		}
		if options.Continue = p.next; options.Continue != "" {
			options.ResourceVersion = "" // it is that of the first page
			size = len(a.body)
			next = ask(options)
		}
		err = p.each(use)
		p.free()
		if err != nil {
			return err
		}
		if l.expect != nil {
			l.expect(p.remaining)
		}
	}
	return nil
}

// List reads all pages of a list, and keeps of each item what trim keeps.
func List[L, T, O any, PL resource.Object[L], P resource.Object[T]](
	ctx context.Context, c rest.Interface, resources, namespace string, options metav1.ListOptions, trim func(P) *O,
) ([]O, error) {
	var out []O
	l := listing{
		client: c, resource: resources, namespace: namespace,
		list: func() runtime.Object { return PL(new(L)) }, item: func() runtime.Object { return P(new(T)) },
	}
	err := l.all(ctx, options, func(o runtime.Object) error {
		item, ok := o.(P)
		if !ok {
			return fmt.Errorf("the list holds an object of type %T", o)
		}
		out = append(out, *trim(item))
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// page is a part of a list; each hands its items over, one after another. It is freed after that.
type page struct {
	next      string // the token of the one that follows; "" of the last
	remaining int    // items after it, as far as the server says
	each      func(use func(runtime.Object) error) error
	answer
}

// open reads the head of a page. The items of one in protobuf are decoded when they are
// handed over: a pod is several times as large in memory as on the wire.
func (l listing) open(a answer) (page, error) {
	if a.err != nil {
		return page{}, a.err
	}
	body := a.body
	objects := l.list()
	if err := checkKind(body, objects); err != nil {
		return page{}, err
	}
	if _, fields, ok := protobufOf(body); ok {
		p, err := openProtobuf(fields, l.item)
		p.answer = a
		return p, err
	}
	if err := decode(body, objects); err != nil {
		return page{}, err
	}
	m, err := meta.ListAccessor(objects)
	if err != nil {
		return page{}, err
	}
	return page{next: m.GetContinue(), each: func(use func(runtime.Object) error) error {
		return meta.EachListItem(objects, use)
	}, answer: a}, nil
}

// decode decodes what is not in protobuf, as rest.Result does: a Status with 200 is a failure too.
func decode(body []byte, into runtime.Object) error {
	if len(body) == 0 {
		return errEmpty
	}
	got, _, err := kinds.Codecs().UniversalDeserializer().Decode(body, nil, into)
	if status, ok := got.(*metav1.Status); ok && err == nil && got != into && status.Status != metav1.StatusSuccess {
		return apierrors.FromObject(status)
	}
	return err
}

// errEndless is a list that has no end: each page leads to itself.
var errEndless = errors.New("the list does not end: the API server gave the same continue token twice")

// errEmpty is an answer without anything in it.
var errEmpty = errors.New("the answer is empty")

// Into decodes an answer, which has to be of the object's kind: a proxy's own page, or "null", is
// no empty object.
func Into(result rest.Result, object runtime.Object) error {
	if err := result.Error(); err != nil {
		return err
	}
	body, _ := result.Raw()
	if err := checkKind(body, object); err != nil {
		return err
	}
	return result.Into(object)
}

// one decodes an object, which has to be the one of that name.
func one(result rest.Result, object runtime.Object, name string) error {
	if err := Into(result, object); err != nil {
		return err
	}
	m, err := meta.Accessor(object)
	if err != nil {
		return err
	}
	if m.GetName() != name {
		return &wrongAnswer{m.GetName(), name}
	}
	return nil
}

// checkKind is an error where an answer says that it is of another kind than the object to decode
// it into. An error of the API server, kind Status, is left to the decoder.
func checkKind(body []byte, object runtime.Object) error {
	known, _, err := kinds.Scheme().ObjectKinds(object)
	if err != nil {
		return err
	}
	want := known[0].Kind
	kind, _, ok := protobufOf(body)
	if !ok {
		var t metav1.TypeMeta
		if json.Unmarshal(body, &t) != nil {
			t.Kind = want // the decoder says what is wrong with it
		}
		kind = t.Kind
	}
	if kind == want || kind == "Status" {
		return nil
	}
	return &wrongAnswer{kind, want}
}

// wrongAnswer is an answer that is about another thing than was asked for.
type wrongAnswer struct{ got, want string }

func (e *wrongAnswer) Error() string {
	if e.got == "" {
		return "the answer is not a " + e.want
	}
	return fmt.Sprintf("the answer is a %s, not a %s", printable.Line(e.got[:min(len(e.got), 64)]), e.want)
}

// protobufOf is the kind and the message of an object in Kubernetes' protobuf, without its
// envelope: https://kubernetes.io/docs/reference/using-api/api-concepts/#protobuf-encoding-idl.
func protobufOf(body []byte) (kind string, message []byte, ok bool) {
	envelope, ok := bytes.CutPrefix(body, []byte("k8s\x00"))
	if !ok {
		return "", nil, false
	}
	// As runtime.Unknown, which would copy the whole message.
	var t runtime.TypeMeta
	err := eachField(envelope, func(field protowire.Number, value []byte) error {
		if field == fieldTypeMeta {
			return t.Unmarshal(value)
		}
		if field == fieldRaw {
			message = value
		}
		return nil
	})
	return t.Kind, message, err == nil
}

// The fields of the envelope.
const (
	fieldTypeMeta protowire.Number = 1
	fieldRaw      protowire.Number = 2
)

// The fields of every list of Kubernetes.
const (
	fieldListMeta protowire.Number = 1
	fieldItems    protowire.Number = 2
)

func openProtobuf(message []byte, item func() runtime.Object) (page, error) {
	var m metav1.ListMeta
	err := eachField(message, func(field protowire.Number, value []byte) error {
		if field == fieldListMeta {
			return m.Unmarshal(value)
		}
		return nil
	})
	remaining := 0
	if m.RemainingItemCount != nil {
		remaining = int(*m.RemainingItemCount)
	}
	return page{next: m.Continue, remaining: remaining, each: func(use func(runtime.Object) error) error {
		return eachField(message, func(field protowire.Number, value []byte) error {
			if field != fieldItems {
				return nil
			}
			object := item()
			message, ok := object.(interface{ Unmarshal([]byte) error })
			if !ok {
				return fmt.Errorf("there is no protobuf of %T", object)
			}
			hideFieldsV1(value)
			if err := message.Unmarshal(value); err != nil {
				return err
			}
			return use(object)
		})
	}}, err
}

// The fields of every object of Kubernetes, of its metadata, and of who manages its fields.
const (
	fieldMetadata      protowire.Number = 1
	fieldManagedFields protowire.Number = 17
	fieldFieldsV1      protowire.Number = 7
	fieldUnknown       protowire.Number = 15
)

// hideFieldsV1 makes a field that nobody reads of what says which fields of an object somebody manages. No
// row keeps it, and it is often longer than all that is kept. What is no object stays as it is.
func hideFieldsV1(object []byte) {
	_ = eachField(object, func(field protowire.Number, metadata []byte) error {
		if field != fieldMetadata {
			return nil
		}
		return eachField(metadata, func(field protowire.Number, entry []byte) error {
			for field == fieldManagedFields && len(entry) > 0 {
				number, kind, n := protowire.ConsumeField(entry)
				if n < 0 {
					break
				}
				if number == fieldFieldsV1 && kind == protowire.BytesType && entry[0] < 0x80 { // a tag of one byte, as usual
					entry[0] = byte(protowire.EncodeTag(fieldUnknown, kind))
				}
				entry = entry[n:]
			}
			return nil
		})
	})
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

package ads

import (
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"
)

// mask is a tree of fields. One without branches stands for all there is.
type mask map[string]mask

// parseMask reads field.field,field.
func parseMask(text string) mask {
	root := mask{}
	for path := range strings.SplitSeq(text, ",") {
		node := root
		for name := range strings.SplitSeq(strings.TrimSpace(path), ".") {
			if node[name] == nil {
				node[name] = mask{}
			}
			node = node[name]
		}
	}
	return root
}

// check says which fields of the mask there are not. A path may lead through a
// packed message only if that is allowed, and never through a list.
func (m mask) check(message protoreflect.MessageDescriptor, throughPacked bool) error {
	for name, rest := range m {
		field := message.Fields().ByName(protoreflect.Name(name))
		switch {
		case field == nil:
			return fmt.Errorf("%s has no field %q", message.FullName(), name)
		case len(rest) == 0:
		case field.IsList(), field.IsMap(), field.Message() == nil:
			return fmt.Errorf("field %s of %s has no fields", name, message.FullName())
		case isPacked(field) && throughPacked:
		default:
			if err := rest.check(field.Message(), false); err != nil {
				return err
			}
		}
	}
	return nil
}

// trim removes all fields of a message that are not in the mask. If it cannot,
// it leaves the message alone.
func (m mask) trim(message protoreflect.Message, throughPacked bool) error {
	if len(m) == 0 {
		return nil
	}
	if err := m.check(message.Descriptor(), throughPacked); err != nil {
		return err
	}
	var err error
	message.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		rest, keep := m[string(field.Name())]
		switch {
		case !keep:
			message.Clear(field)
		case len(rest) == 0:
		case isPacked(field):
			err = rest.trimPacked(value.Message().Interface().(*anypb.Any))
		default:
			err = rest.trim(value.Message(), false)
		}
		return err == nil
	})
	return err
}

// trimPacked trims a message within a message.
func (m mask) trimPacked(packed *anypb.Any) error {
	inner, err := packed.UnmarshalNew()
	if err != nil {
		return fmt.Errorf("unpack: %w", err)
	}
	if err := m.trim(inner.ProtoReflect(), false); err != nil {
		return err
	}
	packed.Value, err = proto.MarshalOptions{Deterministic: true}.Marshal(inner)
	return err
}

// isPacked reports whether a field is a message of any type.
func isPacked(field protoreflect.FieldDescriptor) bool {
	return field.Message() != nil && field.Message().FullName() == "google.protobuf.Any"
}

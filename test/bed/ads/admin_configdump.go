package ads

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"

	adminv3 "github.com/envoyproxy/go-control-plane/envoy/admin/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"
)

// serveConfigDump says what the proxy was told, with the parameters of Envoy:
//
//	include_eds          the endpoints as well
//	resource=FIELD       only the elements of that field, one by one
//	mask=FIELD.FIELD,…   of the answer or of each element only these
//	name_regex=REGEX     only what has such a name
func (a *Admin) serveConfigDump(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	names, err := regexp.Compile("^(?:" + query.Get("name_regex") + ")$")
	if err != nil {
		answerError(w, http.StatusBadRequest, fmt.Sprintf("name_regex: %v", err))
		return
	}
	named := func(name string) bool { return !query.Has("name_regex") || names.MatchString(name) }
	sections, err := a.sections(named, query.Has("include_eds"))
	if err != nil {
		answerError(w, http.StatusInternalServerError, err.Error())
		return
	}
	messages, status, err := choose(sections, query)
	if err != nil {
		answerError(w, status, err.Error())
		return
	}
	dump := &adminv3.ConfigDump{}
	for _, message := range messages {
		packed, err := anypb.New(message)
		if err != nil {
			answerError(w, http.StatusInternalServerError, fmt.Sprintf("pack %T: %v", message, err))
			return
		}
		dump.Configs = append(dump.Configs, packed)
	}
	answerJSON(w, dump, false)
}

// choose returns of all sections of a dump what a request asks for, or the
// status of an answer that says why it cannot.
func choose(sections []proto.Message, query url.Values) ([]proto.Message, int, error) {
	if !query.Has("resource") {
		return chooseSections(sections, query)
	}
	resource := query.Get("resource")
	for _, section := range sections {
		field := section.ProtoReflect().Descriptor().Fields().ByName(protoreflect.Name(resource))
		if field == nil {
			continue
		}
		if !field.IsList() {
			return nil, http.StatusBadRequest,
				fmt.Errorf("%s is not a repeated field. Use ?mask=%s to get only this field", resource, resource)
		}
		return chooseElements(section.ProtoReflect().Get(field).List(), query)
	}
	return nil, http.StatusNotFound, fmt.Errorf("%s not found in config dump", resource)
}

// chooseSections trims each section to a mask. Those that have no such fields
// are left out.
func chooseSections(sections []proto.Message, query url.Values) ([]proto.Message, int, error) {
	if !query.Has("mask") {
		return sections, http.StatusOK, nil
	}
	mask := parseMask(query.Get("mask"))
	var chosen []proto.Message
	for _, section := range sections {
		if mask.trim(section.ProtoReflect(), false) == nil {
			chosen = append(chosen, section)
		}
	}
	if len(chosen) == 0 {
		return nil, http.StatusBadRequest,
			fmt.Errorf("FieldMask %s could not be successfully applied to any configs", query.Get("mask"))
	}
	return chosen, http.StatusOK, nil
}

// chooseElements trims each element of a field to a mask.
func chooseElements(elements protoreflect.List, query url.Values) ([]proto.Message, int, error) {
	var chosen []proto.Message
	for i := range elements.Len() {
		element := elements.Get(i).Message()
		if query.Has("mask") {
			if err := parseMask(query.Get("mask")).trim(element, true); err != nil {
				return nil, http.StatusBadRequest,
					fmt.Errorf("FieldMask %s could not be successfully used: %w", query.Get("mask"), err)
			}
		}
		chosen = append(chosen, element.Interface())
	}
	return chosen, http.StatusOK, nil
}

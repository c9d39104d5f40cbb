package ads

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// answerJSON writes a message the way Envoy does: fields by the names that they
// have in the definition, a space of indentation, and nothing that is empty
// unless all of it is asked for.
func answerJSON(w http.ResponseWriter, message proto.Message, all bool) {
	options := protojson.MarshalOptions{UseProtoNames: true, EmitDefaultValues: all, Resolver: resolver{}}
	data, err := options.Marshal(message)
	if err != nil {
		answerError(w, http.StatusInternalServerError, fmt.Sprintf("write %T: %v", message, err))
		return
	}
	// What protojson writes differs from process to process on purpose.
	var compact, indented bytes.Buffer
	if err := json.Compact(&compact, data); err != nil {
		answerError(w, http.StatusInternalServerError, fmt.Sprintf("write %T: %v", message, err))
		return
	}
	if err := json.Indent(&indented, compact.Bytes(), "", " "); err != nil {
		answerError(w, http.StatusInternalServerError, fmt.Sprintf("write %T: %v", message, err))
		return
	}
	indented.WriteByte('\n')
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(indented.Bytes())
}

// answerError writes a sentence and a status.
func answerError(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=UTF-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text + "\n"))
}

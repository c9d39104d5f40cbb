package podaccess

import (
	"bytes"
	"errors"
	"io"
	"net/http"
)

// Answers are what pods said when somebody asked them, as it was written down.
type Answers interface {
	// Answer is what a pod said at a path with its query, as the pod would say it now. It is
	// ErrUnanswered where that was not written down.
	Answer(pod Pod, path string) ([]byte, error)
}

// ErrUnanswered is that nobody wrote down what a pod said.
var ErrUnanswered = errors.New("what it said was not written down")

// Answer is what a pod said at a path with its query.
type Answer struct {
	Namespace, Pod, Path string
	Text                 []byte
}

// Replay is an HTTP client that answers for a pod what was written down. A pod of another port has
// other paths, so that the port is not asked for.
func Replay(from Answers, pod Pod) *http.Client {
	return &http.Client{Transport: replay{from, Pod{Namespace: pod.Namespace, Name: pod.Name}}}
}

type replay struct {
	from Answers
	pod  Pod
}

// RoundTrip answers from what was written down.
func (r replay) RoundTrip(request *http.Request) (*http.Response, error) {
	if err := request.Context().Err(); err != nil {
		return nil, err
	}
	text, err := r.from.Answer(r.pod, request.URL.RequestURI())
	if err != nil {
		return nil, err
	}
	return &http.Response{
		Status: "200 OK", StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{},
		Body: io.NopCloser(bytes.NewReader(text)), ContentLength: int64(len(text)), Request: request,
	}, nil
}

package ads

import (
	"fmt"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
)

// deltaStream is the part of a stream that the protocol needs.
type deltaStream interface {
	Send(*discoveryv3.DeltaDiscoveryRequest) error
	Recv() (*discoveryv3.DeltaDiscoveryResponse, error)
}

// rejectedError says that an answer was not what a proxy can use.
type rejectedError struct {
	typeURL string
	err     error
}

func (e *rejectedError) Error() string { return fmt.Sprintf("reject %s: %v", e.typeURL, e.err) }

func (e *rejectedError) Unwrap() error { return e.err }

// follow speaks the incremental protocol, as Istio's proxies do, until the
// stream ends, and returns why it ended. What it is told it publishes whenever
// that is complete. What it cannot use it rejects, and goes on with what it has.
func follow(
	stream deltaStream, node *corev3.Node, state *state, publish func(), rejected func(error),
) error {
	send := func(requests ...*discoveryv3.DeltaDiscoveryRequest) error {
		for _, request := range requests {
			// Only the first request says who asks.
			request.Node, node = node, nil
			if err := stream.Send(request); err != nil {
				return streamError(stream)
			}
		}
		return nil
	}
	if err := send(state.next()...); err != nil {
		return err
	}
	for {
		response, err := stream.Recv()
		if err != nil {
			return err
		}
		answer := &discoveryv3.DeltaDiscoveryRequest{
			TypeUrl:       response.GetTypeUrl(),
			ResponseNonce: response.GetNonce(),
		}
		if err := state.apply(response, time.Now()); err != nil {
			answer.ErrorDetail = &status.Status{
				Code:    int32(codes.InvalidArgument),
				Message: err.Error(),
			}
			if err := send(answer); err != nil {
				return err
			}
			rejected(&rejectedError{typeURL: response.GetTypeUrl(), err: err})
			continue
		}
		// An acknowledgement never asks for more: that is a request of its own.
		if err := send(append([]*discoveryv3.DeltaDiscoveryRequest{answer}, state.next()...)...); err != nil {
			return err
		}
		if state.complete() {
			publish()
		}
	}
}

// streamError returns why a stream has ended that could not be written to: the
// writer is told no more than that it has.
func streamError(stream deltaStream) error {
	for {
		if _, err := stream.Recv(); err != nil {
			return err
		}
	}
}

package ads

import (
	"context"
	"net"
	"slices"
	"strconv"
	"sync"
	"testing"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/types"
	cachev3 "github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	serverv3 "github.com/envoyproxy/go-control-plane/pkg/server/v3"
	"google.golang.org/grpc"
)

// server is a control plane that tells every proxy what a test gives it.
type server struct {
	address string
	cache   cachev3.SnapshotCache
	version int

	mutex    sync.Mutex
	requests []*discoveryv3.DeltaDiscoveryRequest
}

// serve starts a control plane that ends with the test.
func serve(t *testing.T) *server {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return serveOn(t, listener)
}

func serveOn(t *testing.T, listener net.Listener) *server {
	t.Helper()
	s := &server{
		address: listener.Addr().String(),
		cache:   cachev3.NewSnapshotCache(true, cachev3.IDHash{}, nil),
	}
	ctx, cancel := context.WithCancel(context.Background())
	callbacks := serverv3.CallbackFuncs{
		StreamDeltaRequestFunc: func(_ int64, request *discoveryv3.DeltaDiscoveryRequest) error {
			s.mutex.Lock()
			defer s.mutex.Unlock()
			s.requests = append(s.requests, request)
			return nil
		},
	}
	grpcServer := grpc.NewServer()
	discoveryv3.RegisterAggregatedDiscoveryServiceServer(grpcServer, serverv3.NewServer(ctx, s.cache, callbacks))
	var serving sync.WaitGroup
	serving.Go(func() { _ = grpcServer.Serve(listener) })
	t.Cleanup(func() {
		cancel()
		grpcServer.Stop()
		serving.Wait()
	})
	return s
}

// set makes resources all that there is for a proxy.
func (s *server) set(t *testing.T, proxy Proxy, resources map[resourcev3.Type][]types.Resource) {
	t.Helper()
	s.version++
	snapshot, err := cachev3.NewSnapshot(strconv.Itoa(s.version), resources)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cache.SetSnapshot(context.Background(), proxy.ID(), snapshot); err != nil {
		t.Fatal(err)
	}
}

// asked are the requests so far.
func (s *server) asked() []*discoveryv3.DeltaDiscoveryRequest {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return slices.Clone(s.requests)
}

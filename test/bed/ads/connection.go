package ads

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

// retryDelay is how long a connection waits before it asks again.
const retryDelay = 100 * time.Millisecond

// ErrClosed is what a closed connection answers.
var ErrClosed = errors.New("the connection is closed")

// Connection is a proxy that stays connected and keeps the newest configuration.
// Like Envoy, it connects again when the connection breaks, and goes on with
// what it has until it was told everything anew.
type Connection struct {
	proxy   Proxy
	node    *corev3.Node
	options options
	conn    *grpc.ClientConn
	cancel  context.CancelFunc
	running sync.WaitGroup
	// ended is closed when the connection has given up or was closed.
	ended chan struct{}

	mutex   sync.Mutex
	config  *Config
	changed chan struct{}
	// err is why the last stream ended, or a *rejectedError.
	err error
}

// Connect connects to the plaintext gRPC address of an istiod as a proxy, and
// returns when that has been told everything that it asks for. It tries until
// the context ends: an istiod may still be starting. The context ends the start,
// not the connection: Close does.
func Connect(ctx context.Context, address string, proxy Proxy, all ...Option) (*Connection, error) {
	c, err := open(address, proxy, newOptions(all))
	if err != nil {
		return nil, err
	}
	if _, err := c.Wait(ctx, func(*Config) bool { return true }); err != nil {
		_ = c.Close()
		return nil, fmt.Errorf("connect %s to %s: %w", proxy.ID(), address, err)
	}
	return c, nil
}

// Fetch connects as a proxy, and disconnects as soon as it has been told
// everything that it asks for.
func Fetch(ctx context.Context, address string, proxy Proxy, all ...Option) (*Config, error) {
	c, err := Connect(ctx, address, proxy, all...)
	if err != nil {
		return nil, err
	}
	return c.Config(), c.Close()
}

// open starts a connection.
func open(address string, proxy Proxy, options options) (*Connection, error) {
	node, err := proxy.node()
	if err != nil {
		return nil, err
	}
	conn, err := grpc.NewClient("passthrough:///"+address,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithNoProxy(),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: retryDelay, Multiplier: 1.5, MaxDelay: time.Second},
			MinConnectTimeout: 5 * time.Second,
		}),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(math.MaxInt32)))
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", address, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	c := &Connection{
		proxy: proxy, node: node, options: options, conn: conn, cancel: cancel,
		ended: make(chan struct{}), changed: make(chan struct{}),
	}
	c.running.Go(func() {
		defer close(c.ended)
		c.run(ctx)
	})
	return c, nil
}

// Config is the newest complete configuration.
func (c *Connection) Config() *Config {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return c.config
}

// Wait returns the first configuration, beginning with the present one, that the
// condition holds for. It fails when istiod sends what a proxy cannot use.
func (c *Connection) Wait(ctx context.Context, condition func(*Config) bool) (*Config, error) {
	for {
		c.mutex.Lock()
		config, changed, err := c.config, c.changed, c.err
		c.mutex.Unlock()
		if config != nil && condition(config) {
			return config, nil
		}
		if rejected := (*rejectedError)(nil); errors.As(err, &rejected) {
			return nil, err
		}
		select {
		case <-changed:
		case <-c.ended:
			return nil, errors.Join(ErrClosed, c.lastError())
		case <-ctx.Done():
			return nil, errors.Join(context.Cause(ctx), c.lastError())
		}
	}
}

// Close ends the connection and waits for its end. Further calls do nothing.
func (c *Connection) Close() error {
	c.cancel()
	c.running.Wait()
	if err := c.conn.Close(); err != nil && status.Code(err) != codes.Canceled {
		return fmt.Errorf("close the connection: %w", err)
	}
	return nil
}

// run keeps a stream open until the context ends or there is no use in trying.
func (c *Connection) run(ctx context.Context) {
	for ctx.Err() == nil {
		err := c.stream(ctx)
		if ctx.Err() != nil {
			return
		}
		c.mutex.Lock()
		c.err = err
		c.mutex.Unlock()
		if final(err) {
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(retryDelay):
		}
	}
}

// stream opens a stream, and returns why it ended.
func (c *Connection) stream(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := discoveryv3.NewAggregatedDiscoveryServiceClient(c.conn).DeltaAggregatedResources(ctx)
	if err != nil {
		return err
	}
	state := newState(c.options)
	return follow(stream, c.node, state, func() { c.publish(state.config(c.proxy)) }, c.rejected)
}

// publish makes a configuration the newest.
func (c *Connection) publish(config *Config) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.config, c.err = config, nil
	c.announce()
}

// rejected notes that something was of no use.
func (c *Connection) rejected(err error) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.err = err
	c.announce()
}

// announce wakes whoever waits for a change. The mutex is held.
func (c *Connection) announce() {
	close(c.changed)
	c.changed = make(chan struct{})
}

func (c *Connection) lastError() error {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return c.err
}

// final reports whether it is of no use to try again.
func final(err error) bool {
	switch status.Code(err) {
	case codes.InvalidArgument, codes.Unauthenticated, codes.PermissionDenied, codes.Unimplemented:
		return true
	}
	return false
}

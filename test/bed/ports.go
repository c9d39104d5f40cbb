package bed

import (
	"errors"
	"fmt"
	"net"
)

// portSource hands out ports that are probably free.
type portSource func() (int, error)

// freePort returns a port of 127.0.0.1 that was free a moment ago.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// errPortTaken is why a server ended when another listens on its port.
var errPortTaken = errors.New("its port was taken by another process")

// portAttempts is how many ports a server is tried on. Between the choice of a
// port and its use by the server anybody may take it.
const portAttempts = 5

// withFreePort calls start with ports until it fails for another reason than
// that the port was taken.
func withFreePort[T any](ports portSource, start func(port int) (T, error)) (T, error) {
	var (
		server T
		err    error
	)
	for range portAttempts {
		var port int
		if port, err = ports(); err != nil {
			return server, err
		}
		if server, err = start(port); !errors.Is(err, errPortTaken) {
			return server, err
		}
	}
	return server, err
}

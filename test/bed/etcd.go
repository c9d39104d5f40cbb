package bed

import (
	"context"
	"errors"
	"fmt"
	"os"
)

// etcd is the one store of a fleet. Each cluster has a prefix in it.
type etcd struct {
	*process
	url string
}

// startEtcd starts etcd with its files in dir and waits until it serves.
func startEtcd(ctx context.Context, binary, dir string, ports portSource) (*etcd, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the directory of etcd: %w", err)
	}
	return withFreePort(ports, func(port int) (*etcd, error) {
		peerPort, err := ports()
		if err != nil {
			return nil, err
		}
		url := fmt.Sprintf("http://127.0.0.1:%d", port)
		peerURL := fmt.Sprintf("http://127.0.0.1:%d", peerPort)
		p, err := startProcess("etcd", dir, binary,
			"--name=bed",
			"--data-dir=data",
			"--listen-client-urls="+url,
			"--advertise-client-urls="+url,
			"--listen-peer-urls="+peerURL,
			"--initial-advertise-peer-urls="+peerURL,
			"--initial-cluster=bed="+peerURL,
			// The data dies with the fleet.
			"--unsafe-no-fsync",
			// The only member need not wait long for others before it leads.
			"--heartbeat-interval=10",
			"--election-timeout=100",
		)
		if err != nil {
			return nil, err
		}
		// Its log says so of this very etcd. On its port might answer another,
		// which took the port first: it has no certificate to be told by.
		err = awaitReady(ctx, p, func(context.Context) error {
			if !p.logHas("ready to serve client requests") {
				return errors.New("it does not serve yet")
			}
			return nil
		})
		if err != nil {
			p.stop(0)
			return nil, err
		}
		return &etcd{process: p, url: url}, nil
	})
}

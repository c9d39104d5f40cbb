package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubectl-mesh/kubectl-mesh/internal/apitest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
	"github.com/kubectl-mesh/kubectl-mesh/test/bed"
)

// Limits of mesh-check on fleets as people have them, those in seconds on the machine of the reference.
const (
	mostMediumTime   = 1.5   // seconds, of three clusters of 1,000 pods
	mostManyTime     = 5.0   // of 24 clusters of 25 services
	mostSmallTime    = 15.0  // of 100 small clusters
	mostSmallMemory  = 400e6 // bytes
	servicesOfMany   = 25
	many, smallFleet = 24, 100
)

// usualFleets measures mesh-check on a few clusters with real control planes, against mesh-endpoints
// verify, and on many small ones. A machine holds no hundred of API servers: those of the latter are in
// memory, and their control planes are not asked.
func usualFleets(ctx context.Context, b *table, r *runner, endpoints, check string) error {
	err := onFleet(ctx, b, medium, func(fleet *bed.Fleet, names []string) error {
		flags := []string{"--timeout", "2m", "--contexts", strings.Join(names, ",")}
		what, ours := "mesh-check, "+medium.String(), append([]string{check}, flags...)
		if err := b.scale(ctx, r, fleet, comparison{
			what: what, ours: ours, among: names, theirs: append([]string{endpoints, "verify"}, flags...),
			against: "mesh-endpoints verify", time: mostCheckTime, memory: mostCheckMemory,
		}); err != nil {
			return err
		}
		runs, err := repeated(ctx, r, fleet.Kubeconfig(), ours)
		if err != nil {
			return err
		}
		b.fixed(what+", wall time, against what is allowed", runs, wallTime, mostMediumTime, r.pace)
		return nil
	})
	if err != nil {
		return err
	}
	for _, of := range []struct {
		clusters, services int
		time, memory       float64
	}{{many, servicesOfMany, mostManyTime, mostSmallMemory}, {smallFleet, 1, mostSmallTime, mostSmallMemory}} {
		if err := inMemory(ctx, b, r, check, of.clusters, of.services, of.time, of.memory); err != nil {
			return err
		}
	}
	return nil
}

func repeated(ctx context.Context, r *runner, kubeconfig string, args []string) ([]usage, error) {
	var out []usage
	for i := range scaleRounds + 1 {
		u, err := r.run(ctx, kubeconfig, args...)
		if err != nil {
			return nil, err
		}
		if i > 0 { // the first fills caches
			out = append(out, u)
		}
	}
	return out, nil
}

// inMemory measures mesh-check on a healthy fleet whose API servers answer from memory, on this machine.
func inMemory(ctx context.Context, b *table, r *runner, check string, clusters, services int, mostTime, mostMemory float64) error {
	what := fmt.Sprintf("mesh-check, %d clusters of %d services, API servers in memory", clusters, services)
	done := b.prepares("making " + what)
	var names []string
	for i := range clusters {
		names = append(names, fmt.Sprintf("small-%03d", i+1))
	}
	mesh := istiotest.Serving(istiotest.Installed(names...))
	config := map[string]any{"apiVersion": "v1", "kind": "Config", "current-context": names[0]}
	var entries, users, contexts []any
	for _, c := range mesh.Clusters {
		multiply(c, services)
	}
	var servers []*httptest.Server
	handlers := make([]*apitest.Server, clusters)
	for i, c := range mesh.Clusters {
		handlers[i] = &apitest.Server{}
		server := httptest.NewUnstartedServer(handlers[i])
		server.EnableHTTP2, server.Config.ErrorLog = true, log.New(io.Discard, "", 0)
		server.StartTLS()
		defer server.Close()
		servers = append(servers, server)
		c.Server = "https://" + c.Name + ".example:6443" // remote secrets cannot lead to loopback
	}
	for i, c := range mesh.Clusters {
		// Kubelets renew Leases, and nobody does here.
		handlers[i].Objects = slices.DeleteFunc(c.Objects(), func(o runtime.Object) bool {
			_, lease := o.(*coordinationv1.Lease)
			return lease
		})
		handlers[i].Objects = append(handlers[i].Objects, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{
			Namespace: istiotest.System, Name: istio.ReaderIdentity, UID: "0",
		}})
		server := map[string]any{"server": servers[i].URL, "insecure-skip-tls-verify": true}
		entries = append(entries, map[string]any{"name": c.Name, "cluster": server})
		users = append(users, map[string]any{"name": c.Name, "user": map[string]any{"token": "any"}})
		contexts = append(contexts, map[string]any{"name": c.Name, "context": map[string]any{"cluster": c.Name, "user": c.Name}})
	}
	config["clusters"], config["users"], config["contexts"] = entries, users, contexts
	text, err := json.Marshal(config)
	if err != nil {
		return err
	}
	kubeconfig := filepath.Join(r.home, "in-memory")
	if err := os.WriteFile(kubeconfig, text, 0o600); err != nil {
		return err
	}
	done()
	runs, err := repeated(ctx, r, kubeconfig, []string{check, "--timeout", "2m", "--contexts", strings.Join(names, ",")})
	if err != nil {
		return err
	}
	b.fixed(what+", wall time, against what is allowed", runs, wallTime, mostTime, r.pace)
	b.fixed(what+", peak memory, against what is allowed", runs, peakMemory, mostMemory, 1)
	return nil
}

// multiply gives a cluster more Services of the pods that it has.
func multiply(c *istiotest.Cluster, services int) {
	service, slice := c.Service("helloworld"), c.Slice("helloworld")
	for i := 1; i < services; i++ {
		s, e := service.DeepCopy(), slice.DeepCopy()
		s.Name, s.Spec.ClusterIP = fmt.Sprintf("service-%02d", i), fmt.Sprintf("10.96.8.%d", i)
		e.Name, e.Labels[discoveryv1.LabelServiceName] = s.Name+"-x7k2p", s.Name
		c.Network.More = append(c.Network.More, s, e)
	}
}

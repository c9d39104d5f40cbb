package bed

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

// Forward says where port-forwards to pods lead.
type Forward struct {
	// Name tells forwards apart: another of the same name replaces it.
	Name string
	// Namespaces and Pods are the pods by name; none of one means all.
	Namespaces, Pods []string
	// Port is the port of the pods; 0 is every port that no other forward of
	// these pods is for.
	Port int32
	// To is the host and port of a local process.
	To string
}

// Forward makes port-forwards to pods of a cluster of a mesh lead to a local
// process, from now on: the API server's answer changes within milliseconds.
// Where more than one forward applies it is unspecified which one does.
func (c *Cluster) Forward(ctx context.Context, forwards ...Forward) error {
	if err := c.forward(ctx, forwards...); err != nil {
		return fmt.Errorf("cluster %s: %w", c.name, err)
	}
	return nil
}

func (c *Cluster) forward(ctx context.Context, forwards ...Forward) error {
	var objects []runtime.Object
	for _, f := range forwards {
		object, err := f.object()
		if err != nil {
			return fmt.Errorf("forward %s: %w", f.Name, err)
		}
		objects = append(objects, object)
	}
	return c.apply(ctx, objects...)
}

// object is the forward as kwok reads it.
func (f Forward) object() (*unstructured.Unstructured, error) {
	host, portText, err := net.SplitHostPort(f.To)
	if err != nil {
		return nil, err
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		return nil, fmt.Errorf("%s is not an address of this machine", host)
	}
	port, err := strconv.ParseInt(portText, 10, 32)
	if err != nil {
		return nil, err
	}
	forward := map[string]any{"target": map[string]any{"address": host, "port": port}}
	if f.Port != 0 {
		forward["ports"] = []any{int64(f.Port)}
	}
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "kwok.x-k8s.io/v1alpha1",
		"kind":       "ClusterPortForward",
		"metadata":   map[string]any{"name": f.Name},
		"spec": map[string]any{
			"selector": map[string]any{"matchNamespaces": asAny(f.Namespaces), "matchNames": asAny(f.Pods)},
			"forwards": []any{forward},
		},
	}}, nil
}

// asAny is a list of strings as JSON has it.
func asAny(values []string) []any {
	out := make([]any, len(values))
	for i, value := range values {
		out[i] = value
	}
	return out
}

// AddProgram makes an executable file a command that can be run in the pods of a
// cluster of a mesh, by exec. No others are found by name, but whoever gives a
// path runs what this machine has there, as the user of the bed. A command never
// hears of the end of its input.
func (c *Cluster) AddProgram(name, path string) error {
	if c.kubelets == nil {
		return fmt.Errorf("cluster %s: add a command to its pods: the cluster is part of no mesh", c.name)
	}
	link := filepath.Join(c.kubelets.programs, name)
	if err := os.Remove(link); err != nil && !os.IsNotExist(err) {
		return fmt.Errorf("cluster %s: replace command %s of its pods: %w", c.name, name, err)
	}
	if err := os.Symlink(path, link); err != nil {
		return fmt.Errorf("cluster %s: add command %s to its pods: %w", c.name, name, err)
	}
	return nil
}

// localExec lets the commands of all pods run on this machine, with the path that
// scripts need.
func localExec() *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "kwok.x-k8s.io/v1alpha1",
		"kind":       "ClusterExec",
		"metadata":   map[string]any{"name": "programs"},
		"spec": map[string]any{"execs": []any{map[string]any{"local": map[string]any{
			"envs": []any{map[string]any{"name": "PATH", "value": os.Getenv("PATH")}},
		}}}},
	}}
}

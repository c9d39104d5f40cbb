package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/test/bed"
)

// askable gives the pods of a cluster program pilot-discovery, by which istioctl asks an istiod for its pages. In a pod
// that is istiod's own binary; here it is this one, for the istiods of all clusters are on one machine, at ports of their own.
func askable(fleet *bed.Fleet, c *bed.Cluster, dir string) error {
	itself, err := os.Executable()
	if err != nil {
		return err
	}
	program := filepath.Join(dir, "pilot-discovery-"+c.Name())
	script := fmt.Sprintf("#!/bin/sh\nexec '%s' -page '%s/'\"${3#/}\"\n", itself, fleet.Mesh().Istiod(c.Name()).URL())
	if err := os.WriteFile(program, []byte(script), 0o700); err != nil {
		return err
	}
	return c.AddProgram("pilot-discovery", program)
}

// get writes a page, and what there is instead of one that is not there, as istiod's binary does (pilot/pkg/request). The
// istiod of the bed fails to write krtz, upon which istioctl leaves out all other pages, too: nothing is in its place here.
func get(ctx context.Context, url string, to io.Writer) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if strings.HasSuffix(url, "/debug/krtz") {
		return nil
	}
	if response.StatusCode != http.StatusOK && response.StatusCode != http.StatusNotFound {
		return fmt.Errorf("%s: %s", url, response.Status)
	}
	_, err = io.Copy(to, response.Body)
	return err
}

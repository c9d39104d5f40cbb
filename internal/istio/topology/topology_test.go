package topology

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/dump"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// A seed gives one fleet, and the facts of it survive a dump.
func TestDraw(t *testing.T) {
	for seed := range uint64(20) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			want := Draw(seed).Facts()
			if diff := cmp.Diff(want, Draw(seed).Facts(), istiotest.CompareClusters); diff != "" {
				t.Errorf("the same seed gives another fleet: %s", diff)
			}
			dir := filepath.Join(t.TempDir(), "fleet")
			if err := dump.Write(dir, want, resources.All); err != nil {
				t.Fatal(err)
			}
			got, err := dump.Read(os.DirFS(dir), System, time.Time{}, resources.All)
			if err != nil {
				t.Fatal(err)
			}
			opts := cmp.Options{istiotest.CompareClusters, cmpopts.EquateEmpty(), cmpopts.EquateApproxTime(time.Second), cmpopts.IgnoreFields(metav1.TypeMeta{}, "Kind", "APIVersion")}
			if diff := cmp.Diff(want, got, opts); diff != "" {
				t.Errorf("facts (-written +read):\n%s", diff)
			}
		})
	}
}

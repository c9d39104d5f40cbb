package controlplane

import (
	"time"

	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
)

// Options are what the user wants of these rules.
type Options struct {
	// Since is how far back restarts and kills count; 0 for a day.
	Since time.Duration
}

// recent is how far back restarts and kills count.
func recent(m *model.Mesh) time.Duration {
	if o, ok := model.Given[Options](m); ok && o.Since > 0 {
		return o.Since
	}
	return 24 * time.Hour
}

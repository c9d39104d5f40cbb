package topology

// IstioVersion is the version of Istio in servers/istiod/go.mod, as its images are
// tagged.
const IstioVersion = "1.31-dev"

// Labels and annotations that Istio and Kubernetes read.
const (
	NetworkLabel = "topology.istio.io/network"

	regionLabel   = "topology.kubernetes.io/region"
	zoneLabel     = "topology.kubernetes.io/zone"
	revisionLabel = "istio.io/rev"

	controlPlanesAnnotation = "topology.istio.io/controlPlaneClusters"

	// NotReadyAnnotation keeps the pods of the bed that have it from becoming
	// ready.
	NotReadyAnnotation = "bed.kubectl-mesh/not-ready"
)

// Names of what a control plane consists of.
const (
	Revision             = "default"
	ReaderServiceAccount = "istio-reader-service-account"
	ReaderTokenSecret    = "istio-reader-service-account-istio-remote-secret-token"
	WebhookName          = "istio-sidecar-injector"
	IstiodPod            = "istiod-0"
)

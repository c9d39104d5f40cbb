// Package bed runs fleets of real Kubernetes API servers for tests, without a
// container engine: one etcd and one kube-apiserver per cluster, compiled from
// their Go modules on first use, all on 127.0.0.1.
//
// There are no nodes and no controllers. A cluster holds exactly the objects
// that Apply gives it, status included, behind the real API: authentication,
// authorization, validation, watches and discovery are those of Kubernetes.
//
// A Mesh makes more of the clusters of a fleet: with controllers, kubelets that
// kwok plays, and real istiods, they are what package topology describes.
package bed

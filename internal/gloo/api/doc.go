// Package api has Gloo Mesh's custom resources. Their fields are read by path, and none of them is
// declared: releases call the same thing by different names and types, and a client that decodes
// strictly loses a whole list for one object that it does not know, as Gloo Mesh's own clients do.
package api

// The groups of the custom resources, without the part before them: networking, discovery and
// certificates.
const (
	// HubDomain is that of Service Mesh Hub, as Gloo Mesh was called up to 0.9.
	HubDomain = "smh.solo.io"
	// MeshDomain is that of Gloo Mesh 0.10 to 1.x.
	MeshDomain = "mesh.gloo.solo.io"
	// EnterpriseDomain is that of what Gloo Mesh Enterprise 1.x adds to it.
	EnterpriseDomain = "enterprise.mesh.gloo.solo.io"
	// ClustersGroup is that of the registrations of clusters up to 1.x. Gloo Edge has it also.
	ClustersGroup = "multicluster.solo.io"
	// AdminGroup and InternalGroup are those of Gloo Mesh Enterprise 2.x.
	AdminGroup    = "admin.gloo.solo.io"
	InternalGroup = "internal.gloo.solo.io"
)

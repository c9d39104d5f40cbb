// Package view is what commands show of any mesh, as plain values: a diagnosis, a map of networks
// and gateways, a comparison of roots. Meshes make them, and commands print them.
package view

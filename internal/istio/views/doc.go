// Package views is what people look at instead of findings: the matrix of network labels,
// the list of gateways, and the map of who reaches whom. Views read the model of the mesh
// and run no rules; of the findings of rules that ran on the same mesh they show the codes.
// Everything in it is pure.
package views

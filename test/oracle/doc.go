// Package oracle holds the rules of mesh-certs against the code that they speak
// of: istiod's own, run in this process. It is a module of its own, so that
// istiod's dependencies stay out of the plugins'. There are only tests in it.
package oracle

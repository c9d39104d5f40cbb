// Package ask asks the live questions of Istio: istiod's debug port, proxies, reviews of
// tokens, events, host names, and tries of addresses. What is answered becomes facts, which
// the model and rules read.
package ask

// Package archives reads what real tools wrote of a fleet with real control planes (make archives), and holds what the
// plugins find in it against what they found there live.
package archives

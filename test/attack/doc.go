// Package attack attacks the real binaries: with a third cluster that fails in each way that we
// know of, with what nobody meant for --from, with kubeconfigs and credential plugins of others, and
// with signals and full disks. What has to hold is the same every time: the other clusters are
// checked, nothing secret comes out, nothing crashes, and the run ends in time.
//
// Part of it runs with the other tests; "make attack" runs all of it and prints the figures of
// docs/security-tests.md. All servers are on 127.0.0.1.
package attack

//go:build !race

package istiomesh_test

// raceDetector: tests run with the race detector.
const raceDetector = false

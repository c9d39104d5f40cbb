//go:build !race

package rules_test

// raceDetector: tests run with the race detector.
const raceDetector = false

//go:build race

package plugintest

// raceDetector: tests run with the race detector, in which what one goroutine does takes ten times as long.
const raceDetector = true

//go:build race

package gloomesh_test

// detectsRaces says whether the race detector runs, with which everything takes ten times as long.
const detectsRaces = true

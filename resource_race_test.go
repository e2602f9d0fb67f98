//go:build race

package qrun_test

// raceDetector: its build of sync.Pool forgets a part of what it is given.
const raceDetector = true

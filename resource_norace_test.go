//go:build !race

package qrun_test

const raceDetector = false

//go:build !linux

package main

// limitMemory does nothing: only on Linux is there a limit that suits.
func limitMemory() {}

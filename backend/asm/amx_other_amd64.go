//go:build !purego && !linux

package asm

// tilesAllowed: how other systems grant tile registers is not known here.
func tilesAllowed() bool { return false }

//go:build !purego

package asm

import (
	"sync"
	"syscall"
)

// tilesAllowed asks the kernel, once, for the right to use tile registers, which the whole process then has. It
// refuses when a thread's signal stack could not hold them; Go's, of 32 KB, can.
var tilesAllowed = sync.OnceValue(func() bool {
	const (
		requestPermission = 0x1023 // ARCH_REQ_XCOMP_PERM
		tileData          = 18     // XFEATURE_XTILEDATA
	)
	_, _, errno := syscall.RawSyscall(syscall.SYS_ARCH_PRCTL, requestPermission, tileData, 0)
	return errno == 0
})

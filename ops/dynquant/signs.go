package dynquant

import (
	"encoding/binary"
	"unsafe"
)

// flipSign writes src with the top bit of every byte flipped to dst, which may be src: what is n as int8 is n+128 as
// uint8.
func flipSign(dst, src []uint8) {
	const tops = 0x8080808080808080
	n := len(src) &^ 7
	for i := 0; i < n; i += 8 {
		binary.NativeEndian.PutUint64(dst[i:], binary.NativeEndian.Uint64(src[i:])^tops)
	}
	for i := n; i < len(src); i++ {
		dst[i] = src[i] ^ 0x80
	}
}

// asBytes is the memory of s.
func asBytes(s []int8) []uint8 {
	return unsafe.Slice((*uint8)(unsafe.Pointer(unsafe.SliceData(s))), len(s))
}

// asInt8 is the memory of s.
func asInt8(s []uint8) []int8 {
	return unsafe.Slice((*int8)(unsafe.Pointer(unsafe.SliceData(s))), len(s))
}

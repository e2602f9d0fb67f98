package main

import (
	"encoding/binary"
	"fmt"
	"strings"
)

// vexOps are the instructions whose VEX form Go's assembler does not know, by opcode: map 0F38, prefix 66, W0.
var vexOps = map[string]byte{"VPDPBUSD": 0x50, "VPDPWSSD": 0x52}

// vex encodes a three-operand VEX instruction: rm (register or base+displacement), vvvv, reg in Go's operand order.
func vex(in *Instr) []byte {
	vvvv, reg := in.Args[1].(Reg), in.Args[2].(Reg)
	l := byte(0)
	if reg.Kind == KindY {
		l = 1
	}
	var x, rmHigh int
	var tail []byte
	switch rm := in.Args[0].(type) {
	case Reg:
		rmHigh = rm.N >> 3
		tail = []byte{0xc0 | byte(reg.N&7)<<3 | byte(rm.N&7)}
	case Mem:
		rmHigh = rm.Base.N >> 3
		tail = modrmMem(reg.N, rm)
		if rm.Index.Kind != KindNone {
			x = rm.Index.N >> 3
		}
	}
	b1 := byte(^reg.N>>3&1)<<7 | byte(^x&1)<<6 | byte(^rmHigh&1)<<5 | 2
	b2 := byte(^vvvv.N&15)<<3 | l<<2 | 1
	return append([]byte{0xc4, b1, b2, vexOps[in.Op]}, tail...)
}

// modrmMem encodes the ModRM byte of a memory operand, its SIB byte and its displacement.
func modrmMem(reg int, m Mem) []byte {
	mod, disp := byte(0), []byte(nil)
	switch {
	case m.Disp == 0 && m.Base.N&7 != 5:
	case m.Disp >= -128 && m.Disp < 128:
		mod, disp = 0x40, []byte{byte(m.Disp)}
	default:
		mod, disp = 0x80, binary.LittleEndian.AppendUint32(nil, uint32(int32(m.Disp)))
	}
	if m.Index.Kind == KindNone && m.Base.N&7 != 4 {
		return append([]byte{mod | byte(reg&7)<<3 | byte(m.Base.N&7)}, disp...)
	}
	index, scale := byte(4), byte(0)
	if m.Index.Kind != KindNone {
		index = byte(m.Index.N & 7)
		for s := m.Scale; s > 1; s >>= 1 {
			scale++
		}
	}
	return append([]byte{mod | byte(reg&7)<<3 | 4, scale<<6 | index<<3 | byte(m.Base.N&7)}, disp...)
}

func bytesDirective(b []byte) string {
	s := make([]string, len(b))
	for i, x := range b {
		s[i] = fmt.Sprintf("BYTE $0x%02x", x)
	}
	return strings.Join(s, "; ")
}

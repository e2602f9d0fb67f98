package main

import (
	"encoding/binary"
	"fmt"
	"strings"
)

// vexOp is how an instruction that Go's assembler does not know is encoded in VEX, map 0F38, W0: opcode, prefix
// (0 none, 1 66, 2 F3, 3 F2), and which operand, in Go's order, each field takes (-1: none).
type vexOp struct {
	code, prefix  byte
	reg, rm, vvvv int
}

var vexOps = map[string]vexOp{
	"VPDPBUSD":    {0x50, 1, 2, 0, 1},
	"VPDPWSSD":    {0x52, 1, 2, 0, 1},
	"LDTILECFG":   {0x49, 0, -1, 0, -1},
	"TILERELEASE": {0x49, 0, -1, -1, -1},
	"TILEZERO":    {0x49, 3, 0, -1, -1},
	"TILELOADD":   {0x4b, 3, 1, 0, -1},
	"TILESTORED":  {0x4b, 2, 0, 1, -1},
	"TDPBUSD":     {0x5e, 1, 2, 1, 0},
}

// encoded says whether the instruction is written as constants: what Go's assembler knows only as EVEX or not at all.
func encoded(isa *ISA, op string) bool {
	_, ok := vexOps[op]
	return ok && (isa.VEX || ops[op].feat&FeatAMX != 0)
}

// vex encodes an instruction of vexOps.
func vex(in *Instr) []byte {
	e := vexOps[in.Op]
	number := func(i int) int {
		if i < 0 {
			return 0
		}
		return in.Args[i].(Reg).N
	}
	reg, vvvv, l := number(e.reg), number(e.vvvv), byte(0)
	if e.reg >= 0 && in.Args[e.reg].(Reg).Kind == KindY {
		l = 1
	}
	var x, rmHigh int
	tail := []byte{0xc0 | byte(reg&7)<<3}
	if e.rm >= 0 {
		switch rm := in.Args[e.rm].(type) {
		case Reg:
			rmHigh = rm.N >> 3
			tail[0] |= byte(rm.N & 7)
		case Mem:
			rmHigh, tail = rm.Base.N>>3, modrmMem(reg, rm)
			if rm.Index.Kind != KindNone {
				x = rm.Index.N >> 3
			}
		}
	}
	b1 := byte(^reg>>3&1)<<7 | byte(^x&1)<<6 | byte(^rmHigh&1)<<5 | 2
	b2 := byte(^vvvv&15)<<3 | l<<2 | e.prefix
	return append([]byte{0xc4, b1, b2, e.code}, tail...)
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

package main

import (
	"encoding/binary"
	"maps"
)

type step func(m *machine, in *Instr)

// execs executes every instruction of the table ops.
var execs = merge(execBase(), execMove(), execFloat(), execInt(), execShuffle(), execTile())

func merge(tables ...map[string]step) map[string]step {
	all := map[string]step{}
	for _, t := range tables {
		maps.Copy(all, t)
	}
	return all
}

// val is the value of a general operand of n bytes.
func (m *machine) val(in *Instr, i, n int) uint64 {
	switch a := in.Args[i].(type) {
	case Imm:
		return uint64(a)
	case Reg:
		switch {
		case a.Kind == KindMask:
			return m.k[a.N]
		case a.isVec():
			return binary.LittleEndian.Uint64(m.vec[a.N][:])
		}
		return m.gp[a.N]
	case Mem:
		var b [8]byte
		copy(b[:], m.at(m.addr(a), n, false))
		return binary.LittleEndian.Uint64(b[:])
	}
	failf("operand %d has no value", i)
	return 0
}

func (m *machine) setVal(in *Instr, i, n int, v uint64) {
	switch a := in.Args[i].(type) {
	case Reg:
		switch {
		case a.Kind == KindMask:
			m.k[a.N] = v
		case a.isVec():
			m.vec[a.N] = [64]byte{}
			binary.LittleEndian.PutUint64(m.vec[a.N][:], v)
			m.dirty = true
		default:
			m.gp[a.N] = v
		}
	case Mem:
		var b [8]byte
		binary.LittleEndian.PutUint64(b[:], v)
		copy(m.at(m.addr(a), n, true), b[:n])
	}
}

func (m *machine) flags(v uint64) { m.zf, m.sf, m.of, m.cf = v == 0, int64(v) < 0, false, false }

// sub sets the flags of a-b.
func (m *machine) sub(a, b uint64) uint64 {
	d := a - b
	m.flags(d)
	m.cf = a < b
	m.of = (a^b)&(a^d)>>63 != 0
	return d
}

// alu is dst = f(dst, src).
func alu(f func(d, s uint64) uint64) step {
	return func(m *machine, in *Instr) {
		v := f(m.val(in, 1, 8), m.val(in, 0, 8))
		m.flags(v)
		m.setVal(in, 1, 8, v)
	}
}

func jump(cond func(m *machine) bool) step {
	return func(m *machine, in *Instr) {
		if cond(m) {
			m.jump = in.Args[0].(Label).name
		}
	}
}

// move copies n bytes, zero extended by ext.
func move(n int, ext func(uint64) uint64) step {
	return func(m *machine, in *Instr) { m.setVal(in, 1, n, ext(m.val(in, 0, n))) }
}

func execBase() map[string]step {
	same := func(v uint64) uint64 { return v }
	low := func(bits int) func(uint64) uint64 { return func(v uint64) uint64 { return v & (1<<bits - 1) } }
	return map[string]step{
		"RET": func(m *machine, in *Instr) {
			if m.dirty {
				failf("no VZEROUPPER before it")
			}
			if m.tiles.on {
				failf("no TILERELEASE before it")
			}
			m.done = true
		},
		"VZEROUPPER": func(m *machine, in *Instr) {
			for i := range 16 {
				clear(m.vec[i][16:])
			}
			m.dirty = false
		},
		"PCALIGN":    func(m *machine, in *Instr) {},
		"PREFETCHT0": func(m *machine, in *Instr) {},
		"PREFETCHT1": func(m *machine, in *Instr) {},
		"JMP":        jump(func(m *machine) bool { return true }),
		"JZ":         jump(func(m *machine) bool { return m.zf }),
		"JNZ":        jump(func(m *machine) bool { return !m.zf }),
		"JL":         jump(func(m *machine) bool { return m.sf != m.of }),
		"JGE":        jump(func(m *machine) bool { return m.sf == m.of }),
		"JLE":        jump(func(m *machine) bool { return m.zf || m.sf != m.of }),
		"JG":         jump(func(m *machine) bool { return !m.zf && m.sf == m.of }),
		"JB":         jump(func(m *machine) bool { return m.cf }),
		"JAE":        jump(func(m *machine) bool { return !m.cf }),
		"MOVQ":       move(8, same),
		"VMOVQ":      move(8, same),
		"MOVL":       move(4, low(32)),
		"VMOVD":      move(4, low(32)),
		"MOVLQZX":    move(4, low(32)),
		"MOVBQZX":    move(1, low(8)),
		"MOVWQZX":    move(2, low(16)),
		"MOVLQSX":    move(4, func(v uint64) uint64 { return uint64(int64(int32(v))) }),
		"KMOVW":      move(2, low(16)),
		"KMOVD":      move(4, low(32)),
		"KMOVQ":      move(8, same),
		"LEAQ":       func(m *machine, in *Instr) { m.setVal(in, 1, 8, m.addr(in.Args[0].(Mem))) },
		"ADDQ": func(m *machine, in *Instr) {
			a, b := m.val(in, 1, 8), m.val(in, 0, 8)
			s := a + b
			m.flags(s)
			m.cf = s < a
			m.of = ^(a^b)&(a^s)>>63 != 0
			m.setVal(in, 1, 8, s)
		},
		"SUBQ":  func(m *machine, in *Instr) { m.setVal(in, 1, 8, m.sub(m.val(in, 1, 8), m.val(in, 0, 8))) },
		"CMPQ":  func(m *machine, in *Instr) { m.sub(m.val(in, 0, 8), m.val(in, 1, 8)) },
		"TESTQ": func(m *machine, in *Instr) { m.flags(m.val(in, 0, 8) & m.val(in, 1, 8)) },
		"NEGQ":  func(m *machine, in *Instr) { m.setVal(in, 0, 8, m.sub(0, m.val(in, 0, 8))) },
		"ANDQ":  alu(func(d, s uint64) uint64 { return d & s }),
		"ORQ":   alu(func(d, s uint64) uint64 { return d | s }),
		"XORQ":  alu(func(d, s uint64) uint64 { return d ^ s }),
		"IMULQ": alu(func(d, s uint64) uint64 { return d * s }),
		"SHLQ":  alu(func(d, s uint64) uint64 { return d << (s & 63) }),
		"SHRQ":  alu(func(d, s uint64) uint64 { return d >> (s & 63) }),
		"SARQ":  alu(func(d, s uint64) uint64 { return uint64(int64(d) >> (s & 63)) }),
		"SHLXQ": func(m *machine, in *Instr) {
			m.setVal(in, 2, 8, m.val(in, 1, 8)<<(m.val(in, 0, 8)&63))
		},
		"INCQ": incr(1), "DECQ": incr(-1),
		"KNOTW": func(m *machine, in *Instr) { m.setVal(in, 1, 2, ^m.val(in, 0, 2)&0xffff) },
		"KANDW": func(m *machine, in *Instr) { m.setVal(in, 2, 2, m.val(in, 0, 2)&m.val(in, 1, 2)&0xffff) },
		"KORW":  func(m *machine, in *Instr) { m.setVal(in, 2, 2, (m.val(in, 0, 2)|m.val(in, 1, 2))&0xffff) },
		"KORTESTW": func(m *machine, in *Instr) {
			v := (m.val(in, 0, 2) | m.val(in, 1, 2)) & 0xffff
			m.flags(v)
			m.cf = v == 0xffff
		},
	}
}

// incr adds without touching the carry flag.
func incr(by int64) step {
	return func(m *machine, in *Instr) {
		cf, v := m.cf, m.val(in, 0, 8)
		s := v + uint64(by)
		m.flags(s)
		m.of = by == 1 && s == 1<<63 || by == -1 && v == 1<<63
		m.cf = cf
		m.setVal(in, 0, 8, s)
	}
}

package main

import (
	"fmt"
	"strings"
)

// memoryOp is an instruction of arm64 between memory and vector registers, written as a constant too:
//
//	LDR.Q LDR.D LDR.S LDR.H LDR.B   memory, register; the rest of the register becomes 0
//	STR.Q ...                       register, memory
//	LDP.Q LDP.D LDP.S, STP.Q ...    memory, first register, second; the reverse
//	LD1R.4S LD1R.2D LD1R.8H LD1R.16B memory, register: one element to all
//	LD1.S LD1.D LD1.H LD1.B         memory, Lane: one element, the others stay
//	ST1.S ...                       Lane, memory
//	PRFM PRFM.L2 PRFM.STRM          memory: prefetch
//
// LDR and STR take a displacement of any multiple of the size below 4096 sizes, or of -256 to 255 bytes, or an index register
// times 1 or the size; LDP and STP multiples of the size within 64 sizes; LD1R, LD1 and ST1 neither. At(p, n).Post() is the
// memory at p, and adds n bytes to p after that: -256 to 255 with LDR and STR, the size of the element with the others.
type memoryOp struct {
	word    uint32 // of the form without displacement
	size    int    // bytes of the register
	operand string // of the register in the GNU assembler's text
	encode  func(in *Instr) (uint32, string, error)
}

// Post makes the displacement one that is added to the base register after the access.
func (m Mem) Post() Mem { m.PostIndex = true; return m }

var memoryOps = newMemoryOps()

func newMemoryOps() map[string]*memoryOp {
	t := map[string]*memoryOp{}
	for i, letter := range "BHSDQ" {
		// The 128-bit form has the size of bytes and another bit.
		size, q := uint32(i)<<30, uint32(0)
		if letter == 'Q' {
			size, q = 0, 1<<23
		}
		for op, load := range map[string]uint32{"LDR": 1 << 22, "STR": 0} {
			o := &memoryOp{word: 0x3c000000 | size | q | load, size: 1 << i, operand: lower(string(letter))}
			o.encode = o.single
			t[op+"."+string(letter)] = o
		}
		if i >= 2 {
			for op, load := range map[string]uint32{"LDP": 1 << 22, "STP": 0} {
				o := &memoryOp{word: 0x2c000000 | uint32(i-2)<<30 | load, size: 1 << i, operand: lower(string(letter))}
				o.encode = o.pair
				t[op+"."+string(letter)] = o
			}
		}
		if i < 4 {
			all := fmt.Sprintf("%d%c", 16>>i, letter)
			o := &memoryOp{word: 0x4d40c000 | uint32(i)<<10, size: 1 << i, operand: lower(all)}
			o.encode = o.replicate
			t["LD1R."+all] = o
			for op, load := range map[string]uint32{"LD1": 1 << 22, "ST1": 0} {
				o := &memoryOp{word: [4]uint32{0x0d000000, 0x0d004000, 0x0d008000, 0x0d008400}[i] | load, size: 1 << i, operand: lower(string(letter))}
				o.encode = o.lane
				t[op+"."+string(letter)] = o
			}
		}
	}
	for i, name := range []string{"PRFM", "PRFM.STRM", "PRFM.L2"} {
		o := &memoryOp{word: uint32(i), size: 8, operand: []string{"pldl1keep", "pldl1strm", "pldl2keep"}[i]}
		o.encode = o.prefetch
		t[name] = o
	}
	return t
}

// operands splits memory and registers, in the order of the GNU assembler.
func (o *memoryOp) operands(in *Instr, count int) (m Mem, regs []Operand, err error) {
	found := false
	for _, a := range in.Args {
		if x, ok := a.(Mem); ok {
			m, found = x, true
			continue
		}
		regs = append(regs, a)
	}
	if !found || len(regs) != count || m.Base.Kind != KindR {
		return m, nil, fmt.Errorf("operands do not fit")
	}
	_, first := in.Args[0].(Mem)
	if load := in.Op[0] == 'L' || in.Op[0] == 'P'; first != load {
		return m, nil, fmt.Errorf("the memory is on the wrong side")
	}
	return m, regs, nil
}

func vectorOf(a Operand) (Reg, error) {
	r, ok := a.(Reg)
	if !ok || r.Kind != KindQ {
		return r, fmt.Errorf("%s is no vector register", a)
	}
	return r, nil
}

func (o *memoryOp) single(in *Instr) (uint32, string, error) {
	m, regs, err := o.operands(in, 1)
	if err != nil {
		return 0, "", err
	}
	r, err := vectorOf(regs[0])
	if err != nil {
		return 0, "", err
	}
	word, op := o.word|uint32(m.Base.N)<<5|uint32(r.N), lower(in.Op[:3])
	reg := fmt.Sprintf("%s%d", o.operand, r.N)
	near := m.Disp >= -256 && m.Disp < 256
	switch {
	case m.Index.Kind != KindNone:
		if m.Disp != 0 || m.PostIndex || m.Index.Kind != KindR || m.Scale != 1 && m.Scale != o.size {
			return 0, "", fmt.Errorf("no such address")
		}
		word |= 0x00206800 | uint32(m.Index.N)<<16
		if m.Scale == 1 {
			return word, fmt.Sprintf("%s %s, [x%d, x%d]", op, reg, m.Base.N, m.Index.N), nil
		}
		return word | 1<<12, fmt.Sprintf("%s %s, [x%d, x%d, lsl #%d]", op, reg, m.Base.N, m.Index.N, strings.IndexByte("bhsdq", o.operand[0])), nil
	case m.PostIndex && near:
		return word | 0x400 | uint32(m.Disp&0x1ff)<<12, fmt.Sprintf("%s %s, [x%d], #%d", op, reg, m.Base.N, m.Disp), nil
	case !m.PostIndex && m.Disp >= 0 && m.Disp%o.size == 0 && m.Disp/o.size < 4096:
		return word | 1<<24 | uint32(m.Disp/o.size)<<10, op + " " + reg + ", " + gnuAddress(m), nil
	case !m.PostIndex && near:
		return word | uint32(m.Disp&0x1ff)<<12, op[:2] + "u" + op[2:] + " " + reg + ", " + gnuAddress(m), nil
	}
	return 0, "", fmt.Errorf("displacement %d is out of reach", m.Disp)
}

func gnuAddress(m Mem) string {
	if m.Disp == 0 {
		return fmt.Sprintf("[x%d]", m.Base.N)
	}
	return fmt.Sprintf("[x%d, #%d]", m.Base.N, m.Disp)
}

func (o *memoryOp) pair(in *Instr) (uint32, string, error) {
	m, regs, err := o.operands(in, 2)
	if err != nil {
		return 0, "", err
	}
	r, err := vectorOf(regs[0])
	if err != nil {
		return 0, "", err
	}
	r2, err := vectorOf(regs[1])
	if err != nil {
		return 0, "", err
	}
	if m.Index.Kind != KindNone || m.Disp%o.size != 0 || m.Disp/o.size < -64 || m.Disp/o.size > 63 {
		return 0, "", fmt.Errorf("no such address")
	}
	word := o.word | uint32(m.Disp/o.size&127)<<15 | uint32(r2.N)<<10 | uint32(m.Base.N)<<5 | uint32(r.N)
	text := fmt.Sprintf("%s %[2]s%[3]d, %[2]s%[4]d, ", lower(in.Op[:3]), o.operand, r.N, r2.N)
	if m.PostIndex {
		return word | 1<<23, text + fmt.Sprintf("[x%d], #%d", m.Base.N, m.Disp), nil
	}
	return word | 1<<24, text + gnuAddress(m), nil
}

// plain checks the address of an instruction that has neither displacement nor index.
func (o *memoryOp) plain(m Mem) (bits uint32, text string, err error) {
	if m.Index.Kind != KindNone || m.PostIndex && m.Disp != o.size || !m.PostIndex && m.Disp != 0 {
		return 0, "", fmt.Errorf("no such address")
	}
	if m.PostIndex {
		return 0x9f0000 | uint32(m.Base.N)<<5, fmt.Sprintf("[x%d], #%d", m.Base.N, m.Disp), nil
	}
	return uint32(m.Base.N) << 5, gnuAddress(m), nil
}

func (o *memoryOp) replicate(in *Instr) (uint32, string, error) {
	m, regs, err := o.operands(in, 1)
	if err != nil {
		return 0, "", err
	}
	r, err := vectorOf(regs[0])
	if err != nil {
		return 0, "", err
	}
	bits, address, err := o.plain(m)
	return o.word | bits | uint32(r.N), fmt.Sprintf("ld1r {v%d.%s}, %s", r.N, o.operand, address), err
}

func (o *memoryOp) lane(in *Instr) (uint32, string, error) {
	m, regs, err := o.operands(in, 1)
	if err != nil {
		return 0, "", err
	}
	l, ok := regs[0].(Lane)
	if !ok || l.Kind != KindQ || l.I < 0 || l.I >= 16/o.size {
		return 0, "", fmt.Errorf("%s is no element", regs[0])
	}
	bits, address, err := o.plain(m)
	i := uint32(l.I * o.size) // Q, S and the bits of size hold the byte's number
	index := i>>3<<30 | i>>2&1<<12 | i&3<<10
	return o.word | bits | index | uint32(l.N), fmt.Sprintf("%s {v%d.%s}[%d], %s", lower(in.Op[:3]), l.N, o.operand, l.I, address), err
}

func (o *memoryOp) prefetch(in *Instr) (uint32, string, error) {
	m, _, err := o.operands(in, 0)
	if err != nil {
		return 0, "", err
	}
	if m.Index.Kind != KindNone || m.PostIndex || m.Disp < 0 || m.Disp%8 != 0 || m.Disp >= 8*4096 {
		return 0, "", fmt.Errorf("no such address")
	}
	return 0xf9800000 | uint32(m.Disp/8)<<10 | uint32(m.Base.N)<<5 | o.word, fmt.Sprintf("prfm %s, %s", o.operand, gnuAddress(m)), nil
}

package main

import "math"

// span is the blocks of 16 elements of a vector, the last of which may be partial.
type span struct {
	blocks, rem, index Reg // whole blocks, elements after them, byte offset while in each
	tail               mask
}

// newSpan splits n, which it consumes.
func (v *vec) newSpan(n Reg) *span {
	s := &span{blocks: v.GP("blocks"), rem: n, index: v.GP("index")}
	v.Op("MOVQ", n, s.blocks)
	v.Op("SHRQ", Imm(4), s.blocks)
	v.Op("ANDQ", Imm(15), n)
	if v.ISA.arm() {
		s.tail = mask{rem: n}
		return s
	}
	s.tail = v.newMask("tail")
	if v.hasMasks() {
		one := s.index
		v.Op("MOVQ", Imm(1), one)
		v.Op("SHLXQ", n, one, one)
		v.Op("DECQ", one)
		v.Op("KMOVW", one, s.tail.k[0])
		return s
	}
	if v.tails.sym == "" {
		lanes := make([]uint32, 32)
		for i := range 16 {
			lanes[i] = math.MaxUint32
		}
		v.tails = v.Lanes(lanes...)
	}
	v.Op("LEAQ", v.tails.Add(64), s.index)
	v.Op("MOVQ", n, s.rem)
	v.Op("SHLQ", Imm(2), s.rem)
	v.Op("SUBQ", s.rem, s.index)
	v.op("VMOVUPS", At(s.index, 0), s.tail.w)
	return s
}

// at is the current block's memory of four-byte elements after a pointer.
func (s *span) at(p Reg) Mem { return At(p, 0).Idx(s.index, 1) }

// each runs the body for every block, with a nil mask for whole ones.
func (v *vec) each(s *span, body func(m *mask)) {
	loop, tail, done := v.Label("loop"), v.Label("tail"), v.Label("done")
	count := v.GP("count")
	v.Op("XORQ", s.index, s.index)
	v.Op("MOVQ", s.blocks, count)
	v.Op("TESTQ", count, count)
	v.Op("JZ", tail)
	v.Bind(loop)
	body(nil)
	v.Op("ADDQ", Imm(64), s.index)
	v.Op("DECQ", count)
	v.Op("JNZ", loop)
	v.Bind(tail)
	v.Free(count)
	v.Op("TESTQ", s.rem, s.rem)
	v.Op("JZ", done)
	body(&s.tail)
	v.Bind(done)
}

// eachOf is each for bodies whose order does not matter: whole blocks come n at a time, the j-th at that distance.
func (v *vec) eachOf(n int, s *span, body func(m *mask, j int, at func(p Reg) Mem)) {
	many, loop, single, tail, done := v.Label("many"), v.Label("loop"), v.Label("single"), v.Label("tail"), v.Label("done")
	count := v.GP("count")
	v.Op("XORQ", s.index, s.index)
	v.Op("MOVQ", s.blocks, count)
	v.Op("SUBQ", Imm(n), count)
	v.Op("JL", single)
	v.Bind(many)
	for j := range n {
		body(nil, j, func(p Reg) Mem { return s.at(p).Add(64 * j) })
	}
	v.Op("ADDQ", Imm(64*n), s.index)
	v.Op("SUBQ", Imm(n), count)
	v.Op("JGE", many)
	v.Bind(single)
	v.Op("ADDQ", Imm(n), count)
	v.Op("JZ", tail)
	v.Bind(loop)
	body(nil, 0, s.at)
	v.Op("ADDQ", Imm(64), s.index)
	v.Op("DECQ", count)
	v.Op("JNZ", loop)
	v.Bind(tail)
	v.Free(count)
	v.Op("TESTQ", s.rem, s.rem)
	v.Op("JZ", done)
	body(&s.tail, 0, s.at)
	v.Bind(done)
}

// sideBySide is each for bodies that are long chains of operations: on AVX-512 whole blocks come n at a time, and every
// operation is on all of them before the next, as the processor would not look far enough ahead to find the next block
// by itself. The body makes its wides itself, as they differ in width, and moves on by s.
func (v *vec) sideBySide(n int, s *span, body func(m *mask)) {
	if !v.hasMasks() {
		v.each(s, body)
		return
	}
	many, loop, single, tail, done := v.Label("many"), v.Label("loop"), v.Label("single"), v.Label("tail"), v.Label("done")
	count := v.GP("count")
	v.Op("XORQ", s.index, s.index)
	v.Op("MOVQ", s.blocks, count)
	v.Op("SUBQ", Imm(n), count)
	v.Op("JL", single)
	v.Bind(many)
	v.units = n
	body(nil)
	v.units = 1
	v.Op("ADDQ", Imm(64*n), s.index)
	v.Op("SUBQ", Imm(n), count)
	v.Op("JGE", many)
	v.Bind(single)
	v.Op("ADDQ", Imm(n), count)
	v.Op("JZ", tail)
	v.Bind(loop)
	body(nil)
	v.Op("ADDQ", Imm(64), s.index)
	v.Op("DECQ", count)
	v.Op("JNZ", loop)
	v.Bind(tail)
	v.Free(count)
	v.Op("TESTQ", s.rem, s.rem)
	v.Op("JZ", done)
	body(&s.tail)
	v.Bind(done)
}

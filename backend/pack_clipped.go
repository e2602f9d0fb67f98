package backend

import (
	"unsafe"

	"github.com/qrun-onnx/qrun/backend/asm"
)

// clipped is a second form of a constant int8 matrix, for processors without VNNI: B = data + terms, exactly. Weights
// in data are small enough for the kernels of asm.GemmU8C8, and terms are the few that had to give something up for
// it. docs/kernels.md says why.
type clipped struct {
	data   []int8
	terms  []asm.Terms
	counts []int32 // per padded column: its terms
	first  []int   // per panel: its first terms
}

const (
	clipSum   = 128 // 255*clipSum fits 16 bits
	clipGroup = 8   // K of a step
	clipRows  = 16  // rows from which on the clipped form is quicker
	clipDepth = 16384
)

// bytes is the memory of the second form.
func (c *clipped) bytes() int64 {
	if c == nil {
		return 0
	}
	return int64(len(c.data)) + int64(len(c.terms))*int64(unsafe.Sizeof(asm.Terms{})) + 4*int64(len(c.counts)) + 8*int64(len(c.first))
}

// clip makes the second form of a matrix, given as PackI8 is, or nil where it would not pay: of a small matrix, or of
// one with so many large weights that the terms would cost more than is won.
func (k *Kernels) clip(p *PackedI8, b []int8, ldb int, trans bool) *clipped {
	l := &k.u8c8
	if l.isa == asm.Scalar || p.K < 64 || p.K > clipDepth || p.N < 16 {
		return nil
	}
	w, panels := l.width(p.N), l.panels(p.N)
	q := PackedI8{K: p.K, N: p.N, layout: l, data: aligned[int8](w * l.padded(p.K))}
	c := &clipped{data: q.data, counts: make([]int32, w), first: make([]int, panels)}
	var columns [16]termList
	for i := range panels {
		k.packPanel(&q, b, i, ldb, trans)
		col, _ := l.panel(i, p.N)
		clipPanel(q.data[col*l.padded(p.K):][:16*l.padded(p.K)], &columns)
		c.first[i] = len(c.terms)
		for j := range columns {
			list := &columns[j]
			c.counts[col+j] = int32(len(list.terms))
			c.terms = append(c.terms, list.terms...)
			list.reset()
		}
		if 8*4*len(c.terms) > (col+16)*p.K {
			return nil
		}
	}
	return c
}

// termList collects the terms of a column.
type termList struct {
	terms []asm.Terms
	n     int // terms in the last
}

func (l *termList) reset() { l.terms, l.n = l.terms[:0], 0 }

// add appends a term; the two of a pair must not add up to more than clipSum.
func (l *termList) add(k, by int) {
	if l.n&1 == 1 {
		if sum := by + int(l.terms[len(l.terms)-1].By[l.n-1]); sum > clipSum || sum < -clipSum {
			l.n++
		}
	}
	if l.n&3 == 0 {
		l.terms, l.n = append(l.terms, asm.Terms{}), 0
	}
	t := &l.terms[len(l.terms)-1]
	t.At[l.n], t.By[l.n] = uint16(4*k), int8(by)
	l.n++
}

// clipPanel clips the weights of a panel of 16 columns.
func clipPanel(panel []int8, columns *[16]termList) {
	for k := 0; len(panel) >= 128; k += clipGroup {
		d := (*[128]int8)(panel)
		for at := 0; at < 64; at += 2 {
			w := [4]int32{int32(d[at]), int32(d[at+1]), int32(d[at+64]), int32(d[at+65])}
			sum := w[0] + w[1] + w[2] + w[3]
			size := magnitude(w[0]) + magnitude(w[1]) + magnitude(w[2]) + magnitude(w[3])
			if size+magnitude(sum) <= 2*clipSum { // twice the larger of the sums of positive and of negative weights
				continue
			}
			list, first := &columns[at/4], k+at%4
			for much := (size+sum)/2 - clipSum; much > 0; {
				i := largest(w[0], w[1], w[2], w[3])
				by := min(w[i], much)
				w[i] -= by
				much -= by
				list.add(first+i&1+i>>1*4, int(by))
			}
			for much := (size-sum)/2 - clipSum; much > 0; {
				i := largest(-w[0], -w[1], -w[2], -w[3])
				by := min(-w[i], much)
				w[i] += by
				much -= by
				list.add(first+i&1+i>>1*4, int(-by))
			}
			d[at], d[at+1], d[at+64], d[at+65] = int8(w[0]), int8(w[1]), int8(w[2]), int8(w[3])
		}
		panel = panel[128:]
	}
}

func magnitude(x int32) int32 { return (x ^ x>>31) - x>>31 }

// largest is the index of the largest number.
func largest(a, b, c, d int32) int { return int(max(a<<2, b<<2|1, c<<2|2, d<<2|3) & 3) }

package backend

import (
	"math/bits"
	"unsafe"

	"github.com/qrun-onnx/qrun/backend/asm"
)

// clipped is a second form of a constant int8 matrix, for processors without VNNI: B = data + terms, exactly. Weights
// in data are small enough for the kernels of asm.GemmU8C8, and terms are the few that had to give something up for
// it. docs/kernels.md says why.
type clipped struct {
	data  []int8
	terms []asm.Terms
	first []int // per panel: its first terms
}

const (
	clipSum   = 128 // 255*clipSum fits 16 bits
	clipGroup = 8   // K of a step
	clipRows  = 5   // rows from which on the clipped form is quicker
	clipDepth = 16384
)

// bytes is the memory of the second form.
func (c *clipped) bytes() int64 {
	if c == nil {
		return 0
	}
	return int64(len(c.data)) + int64(len(c.terms))*int64(unsafe.Sizeof(asm.Terms{})) + 8*int64(len(c.first))
}

// of are the terms of panels.
func (c *clipped) of(panel, end int) []asm.Terms {
	if end < len(c.first) {
		return c.terms[c.first[panel]:c.first[end]]
	}
	return c.terms[c.first[panel]:]
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
	c := &clipped{data: q.data, first: make([]int, panels)}
	var columns [16]termList
	for i := range panels {
		k.packPanel(&q, b, i, ldb, trans)
		col, _ := l.panel(i, p.N)
		clipPanel(q.data[col*l.padded(p.K):][:16*l.padded(p.K)], &columns)
		c.first[i] = len(c.terms)
		c.terms = appendTerms(c.terms, col, &columns)
		if 8*4*len(c.terms) > (col+16)*p.K {
			return nil
		}
	}
	return c
}

// termList collects the terms of a column.
type termList struct {
	terms []asm.Terms
	room  []termRoom // of each of terms
	open  int        // the first that has any
}

// termRoom is how many elements have been set, and what positive and negative ones add up to.
type termRoom struct{ n, pos, neg int }

// add puts a term where there is room.
func (l *termList) add(k, by int) {
	pos, neg := max(by, 0), max(-by, 0)
	for l.open < len(l.room) && l.room[l.open].n == 4 {
		l.open++
	}
	i := l.open
	for ; i < len(l.room); i++ {
		if r := &l.room[i]; r.n < 4 && r.pos+pos <= clipSum && r.neg+neg <= clipSum {
			break
		}
	}
	if i == len(l.room) {
		l.terms, l.room = append(l.terms, asm.Terms{}), append(l.room, termRoom{})
	}
	t, r := &l.terms[i], &l.room[i]
	t.At[r.n], t.By[r.n] = uint16(4*k), int8(by)
	r.n, r.pos, r.neg = r.n+1, r.pos+pos, r.neg+neg
}

// appendTerms appends the terms of columns, the first of which is col, which are emptied. Those of a column lie apart, as the kernels add to sums
// in memory, and would wait for the last.
func appendTerms(terms []asm.Terms, col int, columns *[16]termList) []asm.Terms {
	for i, more := 0, true; more; i++ {
		more = false
		for j := range columns {
			if list := columns[j].terms; i < len(list) {
				t := list[i]
				t.Col, more = uint32(16*(col+j)), true
				terms = append(terms, t)
			}
		}
	}
	for j := range columns {
		l := &columns[j]
		l.terms, l.room, l.open = l.terms[:0], l.room[:0], 0
	}
	return terms
}

// clipPanel clips the weights of a panel of 16 columns. Most need nothing: those that do are found by sixteen bytes at
// a time. Processors with kernels for this are little-endian.
func clipPanel(panel []int8, columns *[16]termList) {
	for k := 0; len(panel) >= 128; k += clipGroup {
		d := (*[128]int8)(panel)
		words := (*[16]uint64)(unsafe.Pointer(d))
		for i, x := range words[:8] {
			for over := overSum(x, words[8+i]); over != 0; over &= over - 1 {
				clipFour(d, 8*i+bits.TrailingZeros64(over)/16*2, k, columns)
			}
		}
		panel = panel[128:]
	}
}

// overSum has the top bits of the 16-bit lanes in which the positive or the negative of the bytes that two numbers have
// there add up to more than clipSum.
func overSum(x, y uint64) uint64 {
	const one, words, low = 0x0101010101010101, 0x0001000100010001, 0x00ff00ff00ff00ff
	mx, my := x>>7&one*0xff, y>>7&one*0xff // of negative bytes
	px, py := x&^mx, y&^my
	nx, ny := ^x&mx+mx&one, ^y&my+my&one
	pos := px&low + px>>8&low + py&low + py>>8&low
	neg := nx&low + nx>>8&low + ny&low + ny>>8&low
	const more = (1<<15 - 1 - clipSum) * words
	return ((pos + more) | (neg + more)) & (1 << 15 * words)
}

// clipFour clips the four weights of a step that one sum takes, of which the first is at a place of d, and K is k there.
func clipFour(d *[128]int8, at, k int, columns *[16]termList) {
	w := [4]int32{int32(d[at]), int32(d[at+1]), int32(d[at+64]), int32(d[at+65])}
	sum := w[0] + w[1] + w[2] + w[3]
	size := magnitude(w[0]) + magnitude(w[1]) + magnitude(w[2]) + magnitude(w[3])
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

func magnitude(x int32) int32 { return (x ^ x>>31) - x>>31 }

// largest is the index of the largest number.
func largest(a, b, c, d int32) int { return int(max(a<<2, b<<2|1, c<<2|2, d<<2|3) & 3) }

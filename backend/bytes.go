package backend

import (
	"encoding/binary"
	"unsafe"

	"github.com/qrun-onnx/qrun/backend/asm"
)

// TransposeBytes writes the transpose of src, rows rows of n bytes that are lds apart, to dst: n rows of rows bytes, ldd
// apart, each exclusive or flip. dst and src do not overlap.
func (k *Kernels) TransposeBytes(dst []uint8, ldd int, src []uint8, lds, rows, n int, flip uint8) {
	if rows == 0 || n == 0 {
		return
	}
	need(len(src) >= extent(rows, n, lds), "source", len(src), extent(rows, n, lds))
	need(len(dst) >= extent(n, rows, ldd), "result", len(dst), extent(n, rows, ldd))
	m := 16 // rows at a time; the last ones overlap those before where it does not divide
	switch {
	case rows < 8:
		transposeFew(dst, ldd, src, lds, rows, n, flip)
		return
	case n < 16 || k.turn[0] == asm.TurnScalar || rows < 16:
		m = 8
	}
	for r := 0; r < rows; r += m {
		r = min(r, rows-m)
		if n < 16 || k.turn[0] == asm.TurnScalar {
			transposeEight(dst[r:], ldd, src[r*lds:], lds, n, flip)
			continue
		}
		a := asm.ArgsTurn{LDD: int64(ldd), LDS: int64(lds), Rows: int64(m), Flip: int32(uint32(flip) * 0x01010101)}
		kernel := k.turn[m/16]
		for c := 0; c < n; c += int(a.Cols) {
			if a.Cols = int64(min(turnChunk, (n-c)&^15)); a.Cols == 0 {
				c, a.Cols = n-16, 16
			}
			a.Dst, a.Src = &dst[c*ldd+r], &src[r*lds+c]
			call := a
			kernel.Call(&call)
		}
	}
}

// turnChunk is the number of columns that a call of the kernel takes, to be short.
const turnChunk = 1 << 11

// transposeFew is TransposeBytes of fewer than eight rows.
func transposeFew(dst []uint8, ldd int, src []uint8, lds, rows, n int, flip uint8) {
	for r := range rows {
		x := src[r*lds:][:n]
		if ldd == 1 && flip == 0 {
			copy(dst, x)
			continue
		}
		for c, v := range x {
			dst[c*ldd+r] = v ^ flip
		}
	}
}

// transposeEight is TransposeBytes of eight rows.
func transposeEight(dst []uint8, ldd int, src []uint8, lds, n int, flip uint8) {
	if n < 8 {
		transposeFew(dst, ldd, src, lds, 8, n, flip)
		return
	}
	sign := uint64(flip) * 0x0101010101010101
	for c := 0; c < n; c += 8 {
		c = min(c, n-8)
		var m [8]uint64
		for i := range m {
			m[i] = binary.LittleEndian.Uint64(src[i*lds+c:]) ^ sign
		}
		transpose8(&m)
		for i, v := range m {
			binary.LittleEndian.PutUint64(dst[(c+i)*ldd:], v)
		}
	}
}

// transpose8 exchanges rows and columns of a square of bytes: squares of 4, then of 2, then of 1.
func transpose8(m *[8]uint64) {
	for i := range 4 {
		a, b := m[i], m[i+4]
		m[i], m[i+4] = a&0x00000000ffffffff|b<<32, a>>32|b&0xffffffff00000000
	}
	for _, i := range [4]int{0, 1, 4, 5} {
		a, b := m[i], m[i+2]
		m[i], m[i+2] = a&0x0000ffff0000ffff|b&0x0000ffff0000ffff<<16, a>>16&0x0000ffff0000ffff|b&0xffff0000ffff0000
	}
	for i := 0; i < 8; i += 2 {
		a, b := m[i], m[i+1]
		m[i], m[i+1] = a&0x00ff00ff00ff00ff|b&0x00ff00ff00ff00ff<<8, a>>8&0x00ff00ff00ff00ff|b&0xff00ff00ff00ff00
	}
}

// RequantizeColumns is Requantize of rows of cols sums, lds apart, with a bias and a scale for each column. cols is a
// multiple of 16.
func (k *Kernels) RequantizeColumns(dst []uint8, ldd int, src []int32, lds, rows, cols int, bias []int32, scale []float32, zero, low int32) {
	if rows == 0 || cols == 0 {
		return
	}
	need(len(src) >= extent(rows, cols, lds), "sums", len(src), extent(rows, cols, lds))
	need(len(dst) >= extent(rows, cols, ldd), "result", len(dst), extent(rows, cols, ldd))
	need(len(bias) >= cols && len(scale) >= cols && cols%16 == 0, "columns", min(len(bias), len(scale)), cols)
	step := max(1, requantizeChunk/cols)
	for r := 0; r < rows; r += step {
		a := asm.ArgsRequantize{Dst: &dst[r*ldd], LDD: int64(ldd), Src: unsafe.Pointer(&src[r*lds]), LDS: int64(4 * lds), Bias: &bias[0], Scale: &scale[0],
			Rows: int64(min(step, rows-r)), Cols: int64(cols), Zero: zero, Low: low}
		k.requantize[0].Call(&a)
	}
}

// RequantizeRows is Requantize of rows of n float32 numbers side by side, without a bias and with a scale for each row.
// For the last row, src and dst have room for n rounded up to a multiple of 16; what is there in dst afterwards means nothing.
func (k *Kernels) RequantizeRows(dst []uint8, src []float32, n int, scale []float32, zero, low int32) {
	rows, cols := len(scale), (n+15)&^15
	if rows == 0 || n == 0 {
		return
	}
	need(len(src) >= extent(rows, cols, n), "sums", len(src), extent(rows, cols, n))
	need(len(dst) >= extent(rows, cols, n), "result", len(dst), extent(rows, cols, n))
	step, part := max(1, requantizeChunk/cols), min(cols, requantizeChunk)
	for r := 0; r < rows; r += step {
		for c := 0; c < cols; c += part {
			a := asm.ArgsRequantize{Dst: &dst[r*n+c], LDD: int64(n), Src: unsafe.Pointer(&src[r*n+c]), LDS: int64(4 * n), Scale: &scale[r],
				Rows: int64(min(step, rows-r)), Cols: int64(min(part, cols-c)), F: 1, Zero: zero, Low: low}
			k.requantize[1].Call(&a)
		}
	}
}

// requantizeChunk is the number of elements that a call of the kernel takes, to be short.
const requantizeChunk = 1 << 14

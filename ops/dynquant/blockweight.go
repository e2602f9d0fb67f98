package dynquant

import (
	"github.com/qrun-onnx/qrun/tensor"
)

// blockWeight is a matrix of rows of unsigned 2-, 4- or 8-bit codes, packed from the low bits of each byte on, in blocks
// along a row that have a scale, and a zero point, of their own: (code - zero)*scale.
type blockWeight struct {
	codes     []uint8
	bits      int
	rowBytes  int
	block     int
	perRow    int // blocks in a row
	scale     []float32
	zero      []float32 // nil: half of the codes are below 0
	blockOfAt []int32   // by position in a row, where blocks are not runs; else nil
}

// row writes the values of row r to dst.
func (w *blockWeight) row(dst []float32, r int) {
	codes := w.codes[r*w.rowBytes : (r+1)*w.rowBytes]
	scale := w.scale[r*w.perRow : (r+1)*w.perRow]
	if w.blockOfAt != nil {
		for i := range dst {
			b := int(w.blockOfAt[i])
			dst[i] = (float32(w.code(codes, i)) - w.zeroOf(r, b)) * scale[b]
		}
		return
	}
	for b := range scale {
		first := b * w.block
		if first >= len(dst) {
			break
		}
		out := dst[first:min(first+w.block, len(dst))]
		w.run(out, codes, first, scale[b], w.zeroOf(r, b))
	}
}

func (w *blockWeight) code(codes []uint8, i int) uint8 {
	at := i * w.bits
	return codes[at/8] >> (at % 8) & (1<<w.bits - 1)
}

func (w *blockWeight) zeroOf(r, b int) float32 {
	if w.zero == nil {
		return float32(int(1) << (w.bits - 1))
	}
	return w.zero[r*w.perRow+b]
}

// run decodes neighbours of one scale; 4-bit ones through a table of their sixteen values.
func (w *blockWeight) run(out []float32, codes []uint8, first int, scale, zero float32) {
	switch {
	case w.bits == 4 && first%2 == 0:
		var t [16]float32
		for i := range t {
			t[i] = (float32(i) - zero) * scale
		}
		src := codes[first/2:]
		for i := 0; i+2 <= len(out); i += 2 {
			v := src[i/2]
			out[i], out[i+1] = t[v&15], t[v>>4]
		}
		if n := len(out); n%2 != 0 {
			out[n-1] = t[src[n/2]&15]
		}
	case w.bits == 8:
		for i, v := range codes[first : first+len(out)] {
			out[i] = (float32(v) - zero) * scale
		}
	default:
		for i := range out {
			out[i] = (float32(w.code(codes, first+i)) - zero) * scale
		}
	}
}

// unpackZeros reads zero points: packed like codes, each row in whole bytes, or floats.
func unpackZeros(t *tensor.Tensor, rows, perRow, bits int) []float32 {
	zero := make([]float32, rows*perRow)
	if t.DType() != tensor.Uint8 {
		f, _ := floats(t)
		copy(zero, f)
		return zero
	}
	w := blockWeight{bits: bits, rowBytes: (perRow*bits + 7) / 8}
	for r := range rows {
		codes := t.Bytes()[r*w.rowBytes : (r+1)*w.rowBytes]
		for b := range perRow {
			zero[r*perRow+b] = float32(w.code(codes, b))
		}
	}
	return zero
}

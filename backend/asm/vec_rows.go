package asm

import "unsafe"

// The row functions, in the order of their kernels.
const (
	rowSoftmax = iota
	rowLogSoftmax
	rowLayerNorm
	rowRMSNorm
	rowSum
	numRow
)

// Rows are rows of N elements of float32 matrices for the row functions. A matrix whose step is 0 has one row, that
// serves for all. Dst may be Src, Add or Sum.
type Rows struct {
	N, Rows     int
	Dst, Src    []float32
	DstStep     int       // elements from one row to the next, of Dst and Sum
	SrcStep     int       // of Src
	Add         []float32 // added to Src; nil for none
	AddStep     int       // of Add
	Bias        []float32 // N elements, added after Add; nil for none (norms only)
	Sum         []float32 // where Src+Add+Bias is stored; nil for nowhere (norms only)
	Gamma, Beta []float32 // N elements each, or nil (norms only)
	Mean, Inv   []float32 // one result for each row, or nil (norms only; no Mean for RMS norm)
	Scale       float32   // of Src (softmax only)
	Eps         float32
}

//go:noinline
func (k VecRow) chunk(a *ArgsVecRow) { k.Call(a) }

// Softmax writes the softmax of Src*Scale + Add: e = exp(x-max) times the reciprocal of the sum of e.
func (v *Vector) Softmax(r *Rows) { v.rows(rowSoftmax, r) }

// LogSoftmax writes (x-max) - log(sum(exp(x-max))) of Src.
func (v *Vector) LogSoftmax(r *Rows) { v.rows(rowLogSoftmax, r) }

// LayerNorm writes (x-mean)*inv of x = Src+Add+Bias, times Gamma plus Beta (fused), with inv = 1/sqrt(var+Eps).
func (v *Vector) LayerNorm(r *Rows) { v.rows(rowLayerNorm, r) }

// RMSNorm writes x*inv of x = Src+Add+Bias, times Gamma plus Beta (fused), with inv = 1/sqrt(mean(x*x)+Eps).
func (v *Vector) RMSNorm(r *Rows) { v.rows(rowRMSNorm, r) }

// Sums writes to r.Mean the sum of each row of Src: Sum's.
func (v *Vector) Sums(r *Rows) { v.rows(rowSum, r) }

func (v *Vector) rows(f int, r *Rows) {
	k := v.row
	if r.N == 0 {
		return
	}
	if r.N > vecLongRow {
		k = 0
	}
	if k != 0 {
		k += VecRow(f)
	}
	a := ArgsVecRow{
		F: int64(f), N: int64(r.N), DstStep: 4 * int64(r.DstStep), SrcStep: 4 * int64(r.SrcStep), AddStep: 4 * int64(r.AddStep),
		Bias: unsafe.SliceData(r.Bias), Gamma: unsafe.SliceData(r.Gamma), Beta: unsafe.SliceData(r.Beta),
		Scale: r.Scale, Eps: r.Eps, Count: float32(r.N),
	}
	var scratch [2][vecRows]float32
	step := min(max(1, vecRowChunk/r.N), vecRows)
	for i := 0; i < r.Rows; i += step {
		a.Rows = int64(min(step, r.Rows-i))
		a.Dst, a.Src = &r.Dst[i*r.DstStep], &r.Src[i*r.SrcStep]
		a.Add, a.Sum = at(r.Add, i*r.AddStep), at(r.Sum, i*r.DstStep)
		a.Mean, a.Inv = &scratch[0][0], &scratch[1][0]
		if r.Mean != nil {
			a.Mean = &r.Mean[i]
		}
		if r.Inv != nil {
			a.Inv = &r.Inv[i]
		}
		k.chunk(&a)
	}
}

// The rows of a call have at most vecRowChunk elements (unless one has more), so that they stay in the first cache, and
// are at most vecRows.
const (
	vecRowChunk = 2 << 10
	vecRows     = 64
)

// vecLongRow is the longest row that one call may take.
const vecLongRow = 64 << 10

func at(s []float32, i int) *float32 {
	if s == nil {
		return nil
	}
	return &s[i]
}

// rowOf is the i-th row of n elements at p, rows step bytes apart; nil if p is.
func rowOf(p *float32, i int, n, step int64) []float32 {
	if p == nil {
		return nil
	}
	return unsafe.Slice((*float32)(unsafe.Add(unsafe.Pointer(p), int64(i)*step)), n)
}

func vecRowScalar(a *ArgsVecRow) {
	bias, gamma, beta := rowOf(a.Bias, 0, a.N, 0), rowOf(a.Gamma, 0, a.N, 0), rowOf(a.Beta, 0, a.N, 0)
	for i := range int(a.Rows) {
		dst, src, add := rowOf(a.Dst, i, a.N, a.DstStep), rowOf(a.Src, i, a.N, a.SrcStep), rowOf(a.Add, i, a.N, a.AddStep)
		switch a.F {
		case rowSoftmax:
			softmaxRow(dst, src, add, a.Scale)
			continue
		case rowLogSoftmax:
			logSoftmaxRow(dst, src)
			continue
		case rowSum:
			var l lanes
			for j, x := range src {
				l[j&15] += x
			}
			rowOf(a.Mean, i, 1, 4)[0] = l.sum()
			continue
		}
		gather(dst, src, add, bias, rowOf(a.Sum, i, a.N, a.DstStep))
		mean, inv := rowOf(a.Mean, i, 1, 4), rowOf(a.Inv, i, 1, 4)
		if a.F == rowLayerNorm {
			mean[0], inv[0] = layerNormRow(dst, gamma, beta, a.Eps)
		} else {
			inv[0] = rmsNormRow(dst, gamma, beta, a.Eps)
		}
	}
}

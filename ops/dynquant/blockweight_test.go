package dynquant

import (
	"math/rand/v2"
	"testing"

	"github.com/qrun-onnx/qrun/backend"
	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

// TestMatMulNBitsForms compares with the definition for all widths of codes, depths that do not fill the last block,
// zero points of every form, blocks given by g_idx and float16.
func TestMatMulNBitsForms(t *testing.T) {
	testMatMulNBits(t, 3, 16)
	testMatMulNBits(t, 1, 32) // few rows: the codes are read as they are
	testMatMulNBits(t, 3, 64)
	testMatMulNBits(t, 9, 32)
}

func testMatMulNBits(t *testing.T, m, block int) {
	r := rand.New(rand.NewPCG(19, 20))
	const k, n = 90, 51
	blocks := (k + block - 1) / block
	for _, bits := range []int{2, 4, 8} {
		for _, form := range []string{"", "packed", "float", "g_idx", "half"} {
			code := make([][]int, n)
			packed := make([]uint8, n*blocks*block*bits/8)
			for i := range code {
				code[i] = make([]int, blocks*block)
				for j := range code[i] {
					code[i][j] = r.IntN(1 << bits)
					at := (i*blocks*block + j) * bits
					packed[at/8] |= uint8(code[i][j]) << (at % 8)
				}
			}
			d := tensor.Float32
			if form == "half" {
				d = tensor.Float16
			}
			av, sv, zv := make([]float64, m*k), make([]float64, n*blocks), make([]float64, n*blocks)
			for i := range av {
				av[i] = float64(r.IntN(17) - 8)
			}
			for i := range sv {
				sv[i], zv[i] = float64(1+r.IntN(3))/8, float64(int(1)<<(bits-1))
			}
			in := []*tensor.Tensor{coded(t, d, av, m, k), of(t, packed, n, blocks, block*bits/8), coded(t, d, sv, n*blocks), nil, nil, nil}
			group := func(j int) int { return j / block }
			switch form {
			case "packed":
				width := (blocks*bits + 7) / 8
				z := make([]uint8, n*width)
				for i := range zv {
					v := r.IntN(1 << bits)
					zv[i] = float64(v)
					z[i/blocks*width+i%blocks*bits/8] |= uint8(v) << (i % blocks * bits % 8)
				}
				in[3] = of(t, z, n*width)
			case "float":
				for i := range zv {
					zv[i] = float64(r.IntN(9)) / 2
				}
				in[3] = coded(t, d, zv, n, blocks)
			case "g_idx":
				g := make([]int32, k)
				for i := range g {
					g[i] = int32(r.IntN(blocks))
				}
				in[4], group = of(t, g, k), func(j int) int { return int(g[j]) }
			}
			bias := make([]float64, n)
			for i := range bias {
				bias[i] = float64(i)
			}
			in[5] = coded(t, d, bias, n)
			want := make([]float64, m*n)
			for i := range want {
				row, col := i/n, i%n
				want[i] = bias[col]
				for j := range k {
					b := col*blocks + group(j)
					want[i] += av[row*k+j] * (float64(code[col][j]) - zv[b]) * sv[b]
				}
			}
			attrs := []graph.Attr{intAttr("K", k), intAttr("N", n), intAttr("bits", bits), intAttr("block_size", block), intAttr("accuracy_level", 4)}
			got := mustEval(t, backend.All()[0], microsoft+".MatMulNBits", 1, attrs, in...)
			if text := sameBits(got, coded(t, d, want, m, n)); text != "" { // small integers and eighths: exact
				t.Errorf("%d rows, blocks of %d, %d bits, %s: %s", m, block, bits, form, text)
			}
		}
	}
}

func TestGatherBlocks(t *testing.T) {
	k := backend.All()[0]
	attrs := []graph.Attr{intAttr("block_size", 16), intAttr("quantize_axis", 1)}
	data := make([]uint8, 3*10) // rows of 20 codes of 4 bits
	for i := range data {
		data[i] = uint8(i%16) | uint8((i+5)%16)<<4
	}
	scale := of(t, []float32{1, 2, 3, 4, 5, 6}, 3, 2)
	zero := of(t, []uint8{0x21, 0x43, 0x65}, 3, 1)
	got := values(mustEval(t, k, microsoft+".GatherBlockQuantized", 1, attrs, of(t, data, 3, 10), of(t, []int64{-1, 0}), scale, zero))
	for i, v := range got {
		row, col := []int{2, 0}[i/20], i%20
		code := data[row*10+col/2] >> (col % 2 * 4) & 15
		z := zero.Bytes()[row] >> (col / 16 * 4) & 15
		if want := (float64(code) - float64(z)) * values(scale)[row*2+col/16]; v != want {
			t.Errorf("element %d: %v, want %v", i, v, want)
		}
	}
	wantErr(t, "index 3 is out of range for size 3", microsoft+".GatherBlockQuantized", 1, attrs, of(t, data, 3, 10), of(t, []int64{3}), scale)
	wantErr(t, "blocks of 16", microsoft+".GatherBlockQuantized", 1, attrs, of(t, data, 3, 10), of(t, []int64{0}), of(t, []float32{1, 2, 3}, 3, 1))
}

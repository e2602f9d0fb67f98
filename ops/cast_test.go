package ops

import (
	"math"
	"testing"

	"github.com/qrun-onnx/qrun/tensor"
)

func castTo(t *testing.T, to tensor.DType, x *tensor.Tensor) *tensor.Tensor {
	t.Helper()
	return runOp(t, "Cast", 24, attrs{"to": int(to)}, x)
}

// The quick ways and the general one must agree, over several blocks and with packed types' odd ends.
func TestCastRoundTrips(t *testing.T) {
	small := make([]int64, 1001)
	for i := range small {
		small[i] = int64(i % 2)
	}
	want := of(t, small, 7, 143)
	for _, via := range castTypes {
		if via == tensor.Float8E8M0 { // has no zero
			continue
		}
		y := castTo(t, tensor.Int64, castTo(t, via, want))
		if via == tensor.Int2 || via == tensor.Uint2 || via == tensor.Bool {
			wantTensor(t, y, want)
			continue
		}
		for _, again := range castTypes {
			if again != tensor.Float8E8M0 {
				wantTensor(t, castTo(t, tensor.Int64, castTo(t, again, castTo(t, via, want))), want)
			}
		}
		wantTensor(t, y, want)
	}
}

func TestCastFloatToInteger(t *testing.T) {
	x := []float32{1.9, -1.9, 127.9, 128, -129, 300, 3e9, -3e9, 1e19, float32(math.NaN()), float32(math.Inf(1))}
	lo32, lo64 := int32(math.MinInt32), int64(math.MinInt64)
	wantTensor(t, castTo(t, tensor.Int8, of(t, x)), of(t, []int8{1, -1, 127, -128, 127, 44, 0, 0, 0, 0, 0}))
	wantTensor(t, castTo(t, tensor.Uint8, of(t, x)), of(t, []uint8{1, 255, 127, 128, 127, 44, 0, 0, 0, 0, 0}))
	wantTensor(t, castTo(t, tensor.Int32, of(t, x)), of(t, []int32{1, -1, 127, 128, -129, 300, lo32, lo32, lo32, lo32, lo32}))
	wantTensor(t, castTo(t, tensor.Int64, of(t, x)), of(t, []int64{1, -1, 127, 128, -129, 300, 3e9, -3e9, lo64, lo64, lo64}))
	wantTensor(t, castTo(t, tensor.Uint32, of(t, x[:7])), of(t, []uint32{1, math.MaxUint32, 127, 128, math.MaxUint32 - 128, 300, 3e9}))
	wantTensor(t, castTo(t, tensor.Uint64, of(t, []float64{1e19, 5.5})), of(t, []uint64{1e19, 5}))
	wantTensor(t, castTo(t, tensor.Bool, of(t, []float32{0, float32(math.Copysign(0, -1)), 0.1, float32(math.NaN())})), of(t, []bool{false, false, true, true}))
	wantTensor(t, castTo(t, tensor.Int8, of(t, []int32{200, -200, 5})), of(t, []int8{-56, 56, 5}))
	wantTensor(t, castTo(t, tensor.Float64, of(t, []uint64{math.MaxUint64, 3})), of(t, []float64{0x1p64, 3}))
}

// A float64 just above the midpoint of two float16 numbers must not be rounded to the midpoint on the way.
func TestCastRoundsOnce(t *testing.T) {
	x := 1 + 0x1p-11 + 0x1p-40
	wantTensor(t, castTo(t, tensor.Float16, of(t, []float64{x, -x, 1 + 0x1p-11})), of(t, []tensor.F16{0x3c01, 0xbc01, 0x3c00}))
	wantTensor(t, castTo(t, tensor.Float16, of(t, []float32{1 + 0x1p-11, 1e6})), of(t, []tensor.F16{0x3c00, 0x7c00}))
	wantTensor(t, castTo(t, tensor.Float32, of(t, []tensor.BF16{0x3f80, 0x7f80})), of(t, []float32{1, float32(math.Inf(1))}))
}

func TestCastStrings(t *testing.T) {
	wantTensor(t, castTo(t, tensor.String, of(t, []float32{0.5, 3, 1e8, -0.1, float32(math.NaN()), float32(math.Inf(-1))})),
		of(t, []string{"0.5", "3", "1e+08", "-0.1", "NaN", "-INF"}))
	wantTensor(t, castTo(t, tensor.String, of(t, []bool{true, false})), of(t, []string{"1", "0"}))
	wantTensor(t, castTo(t, tensor.String, of(t, []uint64{math.MaxUint64})), of(t, []string{"18446744073709551615"}))
	wantTensor(t, castTo(t, tensor.Float32, of(t, []string{" 1.5", "1e400", "-inf", "nan"})), of(t, []float32{1.5, float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.NaN())}))
	wantTensor(t, castTo(t, tensor.Int16, of(t, []string{"-7", "2.9"})), of(t, []int16{-7, 2}))
	wantTensor(t, castTo(t, tensor.Bool, of(t, []string{"True", "false", "0", "2"})), of(t, []bool{true, false, false, true}))
	wantErr(t, `string "x1" is not a number`, "Cast", 13, attrs{"to": 1}, of(t, []string{"x1"}))
}

func TestCastSmallFloats(t *testing.T) {
	x := of(t, []float32{1, 1000, -0.4, float32(math.NaN())})
	bytes := func(d tensor.DType, b ...byte) *tensor.Tensor {
		y, err := tensor.FromBytes(d, b, 4)
		if err != nil {
			t.Fatal(err)
		}
		return y
	}
	wantTensor(t, castTo(t, tensor.Float8E4M3FN, x), bytes(tensor.Float8E4M3FN, 0x38, 0x7e, 0xad, 0x7f))
	wantTensor(t, runOp(t, "Cast", 19, attrs{"to": int(tensor.Float8E4M3FN), "saturate": 0}, x), bytes(tensor.Float8E4M3FN, 0x38, 0x7f, 0xad, 0x7f))
	wantTensor(t, castTo(t, tensor.Float4E2M1, x), bytes(tensor.Float4E2M1, 0x72, 0x89))
	e8 := of(t, []float32{1, 3, 2.5, 1e-45})
	wantTensor(t, castTo(t, tensor.Float8E8M0, e8), bytes(tensor.Float8E8M0, 127, 129, 129, 0))
	wantTensor(t, runOp(t, "Cast", 24, attrs{"to": int(tensor.Float8E8M0), "round_mode": "down"}, e8), bytes(tensor.Float8E8M0, 127, 128, 128, 0))
	wantTensor(t, castTo(t, tensor.Int4, of(t, []float32{7, -8, 1.9, -1})), bytes(tensor.Int4, 0x87, 0xf1))
}

func TestCastForms(t *testing.T) {
	x := of(t, []float32{1.5})
	wantTensor(t, runOp(t, "Cast", 1, attrs{"to": "INT32"}, x), of(t, []int32{1}))
	wantTensor(t, runOp(t, "CastLike", 15, nil, x, of(t, []int64{9, 9})), of(t, []int64{1}))
	wantErr(t, `attribute "to" is missing`, "Cast", 13, nil, x)
	wantErr(t, "attribute to=99 is not a type", "Cast", 13, attrs{"to": 99}, x)
	wantErr(t, "Cast to of type complex64", "Cast", 13, attrs{"to": 14}, x)
	wantErr(t, `attribute "saturate" is not known`, "Cast", 13, attrs{"to": 7, "saturate": 0}, x)
	wantErr(t, `attribute to="WORD" is not a type`, "Cast", 1, attrs{"to": "WORD"}, x)
	y := castTo(t, tensor.Float32, of(t, []int64{}, 0, 4))
	wantTensor(t, y, of(t, []float32{}, 0, 4))
}

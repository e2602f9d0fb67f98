package backend

// PackedF16 is a float16 matrix B[K,N] in the panel layout of one tier's kernel.
type PackedF16 struct {
	K, N int
	data []uint16
}

// GemmF16 is GemmF32 with float16 weights, widened exactly when read: same order of operations, same bits as GemmF32
// over the widened matrix.
type GemmF16 struct {
	M     int
	A     []float32
	LDA   int
	B     *PackedF16
	C     []float32
	LDC   int
	Alpha float32
	Epi   Epilogue
}

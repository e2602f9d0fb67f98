package main

// vecFamilies are the kernels over vectors.
func vecFamilies() []*Family {
	return []*Family{vecUnaryFamily(), vecBinaryFamily(), vecReduceFamily(), vecRowFamily(), vecQuantizeFamily(), vecConvertFamily()}
}

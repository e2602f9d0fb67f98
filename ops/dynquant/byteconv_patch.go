package dynquant

import "encoding/binary"

// patches writes the inputs of n output positions from pos on as rows of a matrix, stride apart and zero after their end.
// x is the input of the group.
func (st *convState) patches(a, x []uint8, stride, pos, n int) {
	for r := range n {
		clear(a[r*stride+st.k : (r+1)*stride])
	}
	for at := 0; at < n; {
		row, w := (pos+at)/st.width, (pos+at)%st.width
		m := min(st.width-w, n-at)
		src := x[st.rowStart[row]+w*st.step:]
		i := 0
		if st.step == 1 {
			for ; i+8 <= m; i += 8 {
				gather8(a[(at+i)*stride:], src[i:], stride, st.offset)
			}
		}
		for ; i < m; i++ {
			dst, from := a[(at+i)*stride:][:len(st.offset)], src[i*st.step:]
			for k, off := range st.offset {
				dst[k] = from[off]
			}
		}
		at += m
	}
}

// gather8 makes eight rows of neighbouring positions at a time, in squares of eight by eight bytes.
func gather8(dst, src []uint8, stride int, offset []int) {
	k := 0
	for ; k+8 <= len(offset); k += 8 {
		var m [8]uint64
		for i, off := range offset[k : k+8] {
			m[i] = binary.LittleEndian.Uint64(src[off:])
		}
		transpose8(&m)
		for i, v := range m {
			binary.LittleEndian.PutUint64(dst[i*stride+k:], v)
		}
	}
	for ; k < len(offset); k++ {
		from := src[offset[k]:][:8]
		for i, v := range from {
			dst[i*stride+k] = v
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

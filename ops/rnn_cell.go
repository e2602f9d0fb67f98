package ops

import "github.com/qrun-onnx/qrun/backend"

// lstm computes one entry's new state h and cell c from its gates i, o, f, c before their activations:
//
//	c = f*c + i*g, h = o*act(c)
func (j *direction) lstm(gates, h, c, tmp []float32) {
	k, n, acts := j.o.l.k, j.h, j.o.acts[j.d]
	i, o, f, g := gates[:n], gates[n:2*n], gates[2*n:3*n], gates[3*n:]
	if j.peep == nil {
		j.clipped(gates)
		acts[0].apply(k, gates[:3*n])
	} else {
		j.peephole(i, c, tmp, 0)
		j.peephole(f, c, tmp, 2)
		j.clipped(i)
		j.clipped(gates[2*n:])
		acts[0].apply(k, i)
		acts[0].apply(k, f)
	}
	acts[1].apply(k, g)
	if j.o.inputForget {
		for x := range f {
			f[x] = 1 - i[x]
		}
	}
	k.Binary(backend.Mul, c, c, f)
	k.Binary(backend.Mul, g, g, i)
	k.Binary(backend.Add, c, c, g)
	if j.peep != nil {
		j.peephole(o, c, tmp, 1)
		j.clipped(o)
		acts[0].apply(k, o)
	}
	copy(tmp, c)
	acts[2].apply(k, tmp)
	k.Binary(backend.Mul, h, o, tmp)
}

// peephole adds the cell, weighted with row w of P, to a gate.
func (j *direction) peephole(gate, c, tmp []float32, w int) {
	j.o.l.k.Binary(backend.Mul, tmp, c, j.peep[w*j.h:(w+1)*j.h])
	j.o.l.k.Binary(backend.Add, gate, gate, tmp)
}

// gru computes new states from the gates z and r before their activations, and gate h either as the product with the
// state (linearFirst) or by a product with r*state:
//
//	state = (1-z)*act(h) + z*state
func (j *direction) gru(proj []float32, ld, b0, b1 int) {
	k, n, acts := j.o.l.k, j.h, j.o.acts[j.d]
	for b := b0; b < b1; b++ {
		g := j.gates[b*3*n : (b+1)*3*n]
		p := proj[(b-b0)*ld:]
		if j.o.linearFirst {
			k.Binary(backend.Add, g[:2*n], g[:2*n], p[:2*n])
			k.Binary(backend.Add, g[2*n:], g[2*n:], j.weights.rb[j.d])
		}
		j.clipped(g[:2*n])
		acts[0].apply(k, g[:2*n])
		if j.o.linearFirst {
			k.Binary(backend.Mul, g[2*n:], g[2*n:], g[n:2*n])
			k.Binary(backend.Add, g[2*n:], g[2*n:], p[2*n:3*n])
		} else {
			k.Binary(backend.Mul, j.tmp[b*n:(b+1)*n], g[n:2*n], j.state[b*n:(b+1)*n])
		}
	}
	if !j.o.linearFirst {
		j.gemm = backend.GemmF32{M: b1 - b0, A: j.tmp[b0*n:], LDA: n, B: j.weights.rh[j.d], C: j.gates[b0*3*n+2*n:], LDC: 3 * n}
		j.gemm.Epi.Residual, j.gemm.Epi.LDR = proj[2*n:], ld
		j.multiply()
	}
	for b := b0; b < b1; b++ {
		z, g, h := j.gates[b*3*n:b*3*n+n], j.gates[b*3*n+2*n:(b+1)*3*n], j.state[b*n:(b+1)*n]
		j.clipped(g)
		acts[1].apply(k, g)
		k.Binary(backend.Mul, h, h, z)
		for x, v := range z {
			z[x] = 1 - v
		}
		k.Binary(backend.Mul, g, g, z)
		k.Binary(backend.Add, h, h, g)
	}
}

package ops

import (
	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/internal/par"
	"github.com/qrun-onnx/qrun/tensor"
)

// runFloat64 is the plain definition: for every output a sum over channels and kernel positions.
func (o *conv) runFloat64(c *graph.RunCtx) error {
	s := o.shape(c.In[0].Shape(), c.In[1].Shape())
	x, w, out := tensor.View[float64](c.In[0]), tensor.View[float64](c.In[1]), tensor.View[float64](c.Out[0])
	var bias []float64
	if len(c.In) > 2 && c.In[2] != nil {
		bias = tensor.View[float64](c.In[2])
	}
	per := s.c / s.groups
	size := s.axes[0].in * s.axes[1].in * s.axes[2].in
	return c.For(s.n*s.m, 1, par.Func(func(lo, hi int) {
		for p := lo; p < hi; p++ {
			m := p % s.m
			first := (p/s.m*s.c + m/(s.m/s.groups)*per) * size
			y := out[p*s.pix : (p+1)*s.pix]
			clear(y)
			for ch := range per {
				kernel := s.k / per
				s.accumulate(y, x[first+ch*size:first+(ch+1)*size], w[(m*per+ch)*kernel:(m*per+ch+1)*kernel])
			}
			if bias != nil {
				for i := range y {
					y[i] += bias[m]
				}
			}
		}
	}))
}

// accumulate adds one channel's products to an output plane.
func (s *convShape) accumulate(y, x, w []float64) {
	d, h, v := &s.axes[0], &s.axes[1], &s.axes[2]
	for kd := range d.kernel {
		d0, d1 := d.span(kd)
		for kh := range h.kernel {
			h0, h1 := h.span(kh)
			for kw := range v.kernel {
				v0, v1 := v.span(kw)
				f := w[(kd*h.kernel+kh)*v.kernel+kw]
				for i := d0; i < d1; i++ {
					for j := h0; j < h1; j++ {
						src := x[((i*d.stride+kd*d.dilate-d.before)*h.in+j*h.stride+kh*h.dilate-h.before)*v.in:]
						dst := y[(i*h.out+j)*v.out:]
						for k := v0; k < v1; k++ {
							dst[k] += float64(f * src[k*v.stride+kw*v.dilate-v.before])
						}
					}
				}
			}
		}
	}
}

// runFloat64 is the plain definition.
func (o *convTranspose) runFloat64(c *graph.RunCtx) error {
	s := o.shape(c.In[0].Shape(), c.In[1].Shape())
	x, w, out := tensor.View[float64](c.In[0]), tensor.View[float64](c.In[1]), tensor.View[float64](c.Out[0])
	d, h, v := &s.axes[0], &s.axes[1], &s.axes[2]
	size, per, mult := d.in*h.in*v.in, s.c/s.groups, s.m/s.groups
	return c.For(s.n*s.m, 1, par.Func(func(lo, hi int) {
		for p := lo; p < hi; p++ {
			y, m := out[p*size:(p+1)*size], p%s.m
			clear(y)
			if len(c.In) > 2 && c.In[2] != nil {
				for i := range y {
					y[i] = tensor.View[float64](c.In[2])[m]
				}
			}
			for ch := m / mult * per; ch < (m/mult+1)*per; ch++ {
				src := x[(p/s.m*s.c+ch)*s.pix:]
				for t := range s.k {
					kd, kh, kw := t/(h.kernel*v.kernel), t/v.kernel%h.kernel, t%v.kernel
					f := w[(ch*mult+m%mult)*s.k+t]
					d0, d1 := d.span(kd)
					h0, h1 := h.span(kh)
					v0, v1 := v.span(kw)
					for i := d0; i < d1; i++ {
						for r := h0; r < h1; r++ {
							row := ((i*d.stride+kd*d.dilate-d.before)*h.in + r*h.stride + kh*h.dilate - h.before) * v.in
							for q := v0; q < v1; q++ {
								y[row+q*v.stride+kw*v.dilate-v.before] += float64(f * src[(i*h.out+r)*v.out+q])
							}
						}
					}
				}
			}
		}
	}))
}

package main

import (
	"fmt"
	"image"
	_ "image/gif"  // formats that --input reads
	_ "image/jpeg" // formats that --input reads
	_ "image/png"  // formats that --input reads
	"os"

	"golang.org/x/image/draw"

	"github.com/qrun-onnx/qrun"
	"github.com/qrun-onnx/qrun/tensor"
)

// maxPixels bounds what a hostile header can make the decoder allocate.
const maxPixels = 1 << 26

// imageInput is the first input that looks like pictures, where the caller did not name one.
func imageInput(inputs []qrun.Input) tensor.Spec {
	for _, in := range inputs {
		if in.Spec.Ranked && len(in.Spec.Dims) >= 3 {
			return in.Spec
		}
	}
	return tensor.Spec{}
}

// readImage decodes a picture, resizes it so that it covers the input's width and height, cuts the middle out, and
// orders the channels as the input has them. mode says what becomes of the pixels: imagenet (mean and deviation of that
// data set), unit (0 to 1) or raw (0 to 255).
func readImage(path, mode string, s tensor.Spec) (*tensor.Tensor, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	conf, _, err := image.DecodeConfig(f)
	if err != nil {
		return nil, err
	}
	if conf.Width*conf.Height > maxPixels {
		return nil, fmt.Errorf("%d x %d pixels, more than %d", conf.Width, conf.Height, maxPixels)
	}
	if _, err := f.Seek(0, 0); err != nil {
		return nil, err
	}
	img, _, err := image.Decode(f)
	if err != nil {
		return nil, err
	}
	l, err := layoutOf(s, conf)
	if err != nil {
		return nil, err
	}
	scale, err := pixelScale(mode)
	if err != nil {
		return nil, err
	}
	return l.tensor(cover(img, l.width, l.height), scale)
}

type imageLayout struct {
	width, height, channels int
	last                    bool // channels stand last
	rank                    int
}

func layoutOf(s tensor.Spec, conf image.Config) (imageLayout, error) {
	n := len(s.Dims)
	if n < 3 {
		return imageLayout{}, fmt.Errorf("no input takes pictures: want [... channels height width], the model has %v", s)
	}
	l := imageLayout{rank: n}
	c, h, w := s.Dims[n-3], s.Dims[n-2], s.Dims[n-1]
	if isChannels(w) && !isChannels(c) {
		c, h, w, l.last = w, c, h, true
	}
	l.channels, l.height, l.width = c.Size, h.Size, w.Size
	if l.channels < 0 {
		l.channels = 3
	}
	if l.height < 0 {
		l.height = conf.Height
	}
	if l.width < 0 {
		l.width = conf.Width
	}
	if l.channels != 1 && l.channels != 3 || l.height*l.width > maxPixels {
		return l, fmt.Errorf("no input takes pictures: the model has %v", s)
	}
	return l, nil
}

func isChannels(d tensor.Dim) bool { return d.Size == 1 || d.Size == 3 }

// cover scales img so that it covers width x height and cuts the middle out.
func cover(img image.Image, width, height int) *image.RGBA {
	b := img.Bounds()
	src := b
	if b.Dx()*height > b.Dy()*width { // too wide
		w := max(1, b.Dy()*width/height)
		src.Min.X += (b.Dx() - w) / 2
		src.Max.X = src.Min.X + w
	} else {
		h := max(1, b.Dx()*height/width)
		src.Min.Y += (b.Dy() - h) / 2
		src.Max.Y = src.Min.Y + h
	}
	dst := image.NewRGBA(image.Rect(0, 0, width, height))
	draw.CatmullRom.Scale(dst, dst.Bounds(), img, src, draw.Src, nil)
	return dst
}

// pixelScale returns what to subtract from a pixel (0 to 255) of each channel, and what to divide by then.
func pixelScale(mode string) (s [3][2]float64, err error) {
	switch mode {
	case "imagenet":
		mean, dev := [3]float64{0.485, 0.456, 0.406}, [3]float64{0.229, 0.224, 0.225}
		for i := range s {
			s[i] = [2]float64{255 * mean[i], 255 * dev[i]}
		}
	case "unit":
		s = [3][2]float64{{0, 255}, {0, 255}, {0, 255}}
	case "raw":
		s = [3][2]float64{{0, 1}, {0, 1}, {0, 1}}
	default:
		return s, usagef("--image %q, want imagenet, unit or raw", mode)
	}
	return s, nil
}

func (l imageLayout) tensor(img *image.RGBA, scale [3][2]float64) (*tensor.Tensor, error) {
	plane := l.width * l.height
	v := make([]float64, l.channels*plane)
	for p := range plane {
		px := img.Pix[4*p : 4*p+3]
		for c := range l.channels {
			x := float64(px[c])
			if l.channels == 1 { // luma of ITU-R BT.601
				x = 0.299*float64(px[0]) + 0.587*float64(px[1]) + 0.114*float64(px[2])
			}
			at := c*plane + p
			if l.last {
				at = p*l.channels + c
			}
			v[at] = (x - scale[c][0]) / scale[c][1]
		}
	}
	shape := []int{l.channels, l.height, l.width}
	if l.last {
		shape = []int{l.height, l.width, l.channels}
	}
	for len(shape) < l.rank {
		shape = append([]int{1}, shape...)
	}
	f := make([]float32, len(v))
	for i, x := range v {
		f[i] = float32(x)
	}
	return tensor.Of(f, shape...)
}

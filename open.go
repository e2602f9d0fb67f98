package qrun

import (
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"slices"
	"time"

	"github.com/qrun-onnx/qrun/backend"
	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/internal/packcache"
	"github.com/qrun-onnx/qrun/onnx"
	"github.com/qrun-onnx/qrun/ops"
	"github.com/qrun-onnx/qrun/ops/dynquant"
)

// Open loads the ONNX model in a file. The file is mapped into memory where the platform can, and external data are
// looked for beside it and nowhere else. Errors wrap ErrFormat, ErrUnsupported, or what the system said.
func Open(path string, o *Options) (*Session, error) {
	start := time.Now()
	m, err := onnx.Open(path)
	if err != nil {
		return nil, err
	}
	return newSession(m, o, start)
}

// OpenFS is Open for a file of fsys; external data are looked for in its directory, inside fsys.
func OpenFS(fsys fs.FS, name string, o *Options) (*Session, error) {
	start := time.Now()
	m, err := onnx.OpenFS(fsys, name)
	if err != nil {
		return nil, err
	}
	return newSession(m, o, start)
}

// Load loads a model from memory, such as a variable filled by go:embed. The session keeps views of data, which must not
// change from then on.
func Load(data []byte, o *Options) (*Session, error) {
	start := time.Now()
	m, err := onnx.Decode(data)
	if err != nil {
		return nil, err
	}
	return newSession(m, o, start)
}

// LoadProto loads a model from its message, which must not change from then on.
func LoadProto(p *onnx.ModelProto, o *Options) (*Session, error) {
	return newSession(&onnx.Model{Proto: p}, o, time.Now())
}

// newSession makes a session of a model whose decoding began at start.
func newSession(m *onnx.Model, o *Options, start time.Time) (*Session, error) {
	steps := []LoadStep{{"decode", start, time.Since(start)}}
	if o == nil {
		o = &Options{}
	}
	if err := o.check(); err != nil {
		return nil, err
	}
	cache := new(packcache.Cache)
	var packs backend.PackCache // nil without a directory
	if o.CacheDir != "" {
		packs = cache
	}
	e, err := newEngine(o.Backend, packs)
	if err != nil {
		return nil, err
	}
	s := &Session{k: e.k, report: &Report{}, onNode: o.OnNode, log: o.Logger, steps: steps}
	g, err := e.prepare(m, o, s, cache)
	if err != nil {
		return nil, err
	}
	s.describe(m, g)
	start = time.Now()
	if s.exe, err = graph.NewExecutable(g, graph.ExecOptions{Threads: o.Threads}); err != nil {
		return nil, err
	}
	m.Source().ReleasePages() // what was packed is not read again
	s.step("pack", start)
	start = time.Now()
	s.saveCache(cache)
	s.step("keep", start)
	return s, nil
}

// engine is what a model is made executable with.
type engine struct {
	k   *backend.Kernels
	reg *graph.Registry
}

// newEngine chooses the kernels: those asked for, else those of the environment variable QRUN_BACKEND, else the best.
func newEngine(tier string, cache backend.PackCache) (*engine, error) {
	if tier == "" {
		tier = os.Getenv("QRUN_BACKEND")
	}
	k, err := backend.New(tier)
	if err != nil {
		return nil, err
	}
	k = k.WithCache(cache)
	reg, err := graph.NewRegistry(append(ops.Defs(k), dynquant.Defs(k)...))
	if err != nil {
		return nil, err
	}
	return &engine{k: k, reg: reg}, nil
}

// prepare builds the graph, rewrites it and, when asked, quantizes it.
func (e *engine) prepare(m *onnx.Model, o *Options, s *Session, cache *packcache.Cache) (*graph.Graph, error) {
	start := time.Now()
	g, err := graph.Build(m, e.reg)
	if err != nil {
		return nil, err
	}
	s.step("build", start)
	start = time.Now()
	s.openCache(cache, m, g, o)
	s.step("cache", start)
	if err := checkPasses(o.DisablePasses); err != nil {
		return nil, err
	}
	quantized := o.Quantize == Dynamic || o.Quantize == FP16
	passes := graph.PassOptions{Stages: []graph.Stage{graph.Clean, graph.Fuse}, Disable: graphPasses(o.DisablePasses), KeepIntegers: o.Quantize == Dynamic,
		FoldDequantize: !quantized}
	start = time.Now()
	z, err := graph.NewOptimizer(g, e.reg)
	if err != nil {
		return nil, err
	}
	s.step("infer", start)
	z.OnApply = func(pass string, start time.Time, _ int) { s.step("pass "+pass, start) }
	if err := s.apply(z, dynquant.FuseQDQ(), passes, o); err != nil {
		return nil, err
	}
	if err := s.optimize(z, passes); err != nil {
		return nil, err
	}
	if err := s.apply(z, dynquant.FuseChains(), passes, o); err != nil {
		return nil, err
	}
	if quantized {
		c := dynquant.Config{Kernels: e.k, Profile: string(o.profile()), Half: o.Quantize == FP16, Ops: o.Ops, Only: o.Only, Exclude: o.Exclude,
			MinElements: o.MinElements, Threads: threads(o)}
		start = time.Now()
		if s.report, err = dynquant.Quantize(z, c); err != nil {
			return nil, err
		}
		s.step("quantize", start)
		s.logReport()
	}
	passes.Stages, passes.KeepIntegers, passes.FoldDequantize = nil, false, true
	if err := s.optimize(z, passes); err != nil {
		return nil, err
	}
	return g, s.apply(z, dynquant.FuseNorms(), passes, o)
}

// apply runs a pass of package dynquant unless it is switched off.
func (s *Session) apply(z *graph.Optimizer, p graph.Pass, po graph.PassOptions, o *Options) error {
	if slices.Contains(o.DisablePasses, p.Name) {
		return nil
	}
	n, err := z.Apply(p, po)
	s.passes = append(s.passes, graph.PassStat{Pass: p.Name, Changed: n})
	return err
}

func (s *Session) optimize(z *graph.Optimizer, o graph.PassOptions) error {
	stats, err := z.Optimize(o)
	if err != nil {
		return err
	}
	s.passes = append(s.passes, stats...)
	if s.log != nil {
		for _, p := range stats {
			if p.Changed > 0 {
				s.log.Debug("pass", "name", p.Pass, "changed", p.Changed)
			}
		}
	}
	return nil
}

func (o *Options) profile() Profile {
	if o.Profile == "" {
		return Row
	}
	return o.Profile
}

func threads(o *Options) int {
	if o.Threads > 0 {
		return o.Threads
	}
	return runtime.GOMAXPROCS(0)
}

func (s *Session) logReport() {
	if s.log == nil {
		return
	}
	for _, d := range s.report.Nodes {
		s.log.Info("quantize", "node", d.Node, "op", d.Op, "decision", d.Decision, "reason", d.Reason, "weight", fmt.Sprint(d.WeightShape))
	}
}

package qrun

import (
	"cmp"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/qrun-onnx/qrun/backend"
	"github.com/qrun-onnx/qrun/ops"
	"github.com/qrun-onnx/qrun/ops/dynquant"
)

// Env describes where a program runs.
type Env struct {
	Version  string // of this module
	Go       string
	OS, Arch string
	CPU      string   // the processor's name
	Features []string // instruction sets that kernels use
	Backend  string   // the tier that sessions get
	Backends []string // the tiers that the processor can run, best first
	Threads  int
}

// Environment says on what sessions of this process compute.
func Environment() Env {
	e := Env{Version: moduleVersion(), Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH, CPU: cpuName(), Features: backend.Features(),
		Threads: runtime.GOMAXPROCS(0)}
	for _, k := range backend.All() {
		e.Backends = append(e.Backends, k.Name())
	}
	if k, err := backend.New(os.Getenv("QRUN_BACKEND")); err == nil {
		e.Backend = k.Name()
	}
	return e
}

// moduleVersion is the version of this module in the program.
func moduleVersion() string {
	version := "(devel)"
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range append([]*debug.Module{&info.Main}, info.Deps...) {
			if strings.HasSuffix(m.Path, "/qrun") && m.Version != "" {
				version = m.Version
			}
		}
	}
	return version
}

// cpuName reads the processor's name where the system tells it.
func cpuName() string {
	data, err := os.ReadFile("/proc/cpuinfo")
	if err == nil {
		for _, line := range strings.Split(string(data), "\n") {
			if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
				return strings.TrimSpace(value)
			}
		}
	}
	return runtime.GOARCH
}

// Operator is an implemented operator.
type Operator struct {
	Domain, Name string // Domain "" is ai.onnx
	Since        []int  // the versions with an implementation of their own
	Types        []string
}

// Operators lists the implemented operators by domain and name; the private ones that passes make are left out.
func Operators() ([]Operator, error) {
	k, err := backend.New("")
	if err != nil {
		return nil, err
	}
	byName := map[[2]string]*Operator{}
	for _, d := range append(ops.Defs(k), dynquant.Defs(k)...) {
		if d.Domain == "qrun" {
			continue
		}
		key := [2]string{d.Domain, d.Op}
		o := byName[key]
		if o == nil {
			o = &Operator{Domain: d.Domain, Name: d.Op}
			byName[key] = o
		}
		o.Since = append(o.Since, d.Since)
		for _, t := range d.Types {
			if !slices.Contains(o.Types, t.String()) {
				o.Types = append(o.Types, t.String())
			}
		}
	}
	var list []Operator
	for _, o := range byName {
		slices.Sort(o.Since)
		list = append(list, *o)
	}
	slices.SortFunc(list, func(a, b Operator) int { return cmp.Or(cmp.Compare(a.Domain, b.Domain), cmp.Compare(a.Name, b.Name)) })
	return list, nil
}

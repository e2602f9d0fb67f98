package qrun

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/qrun-onnx/qrun/backend"
	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/internal/packcache"
	"github.com/qrun-onnx/qrun/onnx"
	"github.com/qrun-onnx/qrun/ops/dynquant"
)

// packVersion is the version of what is kept in the cache of packed weights. A change of how weights are packed or
// quantized is seen without it (see layoutOf); it stands for changes of what entries mean.
const packVersion = 1

// openCache opens the file in o.CacheDir with what was packed for this model, these options and kernels. What is not in
// it is added by saveCache. Without a directory, or a model in a file or in memory, there is no cache.
func (s *Session) openCache(c *packcache.Cache, m *onnx.Model, g *graph.Graph, o *Options) {
	files := m.Source().Files()
	if o.CacheDir == "" || len(files) == 0 {
		return
	}
	if err := os.MkdirAll(o.CacheDir, 0o700); err != nil {
		s.warnCache(err)
		return
	}
	var model strings.Builder
	main := ""
	now := time.Now()
	for _, f := range files {
		c.Add(f.Name, f.Data)
		source := packcache.Source{Path: f.Path, Identity: f.Identity, Data: f.Data, Release: m.Source().Release}
		digest := packcache.Digest(o.CacheDir, source, threads(o), now, func(digest string) string { return digest[:16] + "-*.pack" })
		fmt.Fprintf(&model, "file %q %s\n", f.Name, digest)
		if main == "" {
			main = digest
		}
	}
	fmt.Fprintf(&model, "backend %s\noptions %q %q %q %q %q %d %q\n", s.k.Name(), o.Quantize, o.profile(), o.Ops, o.Only, o.Exclude, o.MinElements, o.DisablePasses)
	// A program of another version writes over the file of this one, so that there is one for each use of a model.
	name := sha256.Sum256([]byte(model.String()))
	key := fmt.Sprintf("packs %d of qrun %s, layout %s\n%s", packVersion, moduleVersion(), layoutOf(s.k), model.String())
	c.Open(filepath.Join(o.CacheDir, main[:16]+"-"+hex.EncodeToString(name[:8])+".pack"), key)
	g.Memory = [2]any{g.Memory, c}
}

// saveCache writes what was packed and was not in the cache.
func (s *Session) saveCache(c *packcache.Cache) {
	if err := c.Save(); err != nil {
		s.warnCache(err)
	}
}

// warnCache tells that there is no cache; the session does without.
func (s *Session) warnCache(err error) {
	if s.log != nil {
		s.log.Warn("packed weights are not kept", "error", err)
	}
}

// layoutOf is a digest of what these kernels make of some small weights.
func layoutOf(k *backend.Kernels) string {
	h := sha256.New()
	dynquant.Fingerprint(h, k.WithCache(nil))
	return hex.EncodeToString(h.Sum(nil)[:8])
}

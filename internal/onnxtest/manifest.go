package onnxtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// QuantizedCosine is the cosine with stored outputs that a model asks for which is quantized in the file. ONNX Runtime
// on two processors agrees with itself to 0.9924 on such a model and 256 tokens.
const QuantizedCosine = 0.985

// ManifestLimits replaces the tolerances in l by those that a manifest.json in the folder above a model's folder gives
// for it: an array of objects with "name", the folder's name, and "rtol", "atol" or "min_cosine". An entry whose rtol is
// null is of a model that is quantized in the file: integers amplify differences in the last bit of its float parts, so
// elements are not compared, and a cosine of QuantizedCosine is asked for. Without such a file, or where l asks for
// exact bits, l stays.
func ManifestLimits(modelDir string, l *Limits) error {
	path := filepath.Join(filepath.Dir(modelDir), "manifest.json")
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) || l.Exact {
		return nil
	}
	if err != nil {
		return err
	}
	var list []struct {
		Name      string          `json:"name"`
		RTol      json.RawMessage `json:"rtol"`
		ATol      *float64        `json:"atol"`
		MinCosine *float64        `json:"min_cosine"`
	}
	if err := json.Unmarshal(data, &list); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	for _, m := range list {
		if m.Name != filepath.Base(modelDir) {
			continue
		}
		var rtol float64
		switch {
		case string(m.RTol) == "null":
			l.MinCosine = max(l.MinCosine, QuantizedCosine)
		case len(m.RTol) > 0:
			if err := json.Unmarshal(m.RTol, &rtol); err != nil {
				return fmt.Errorf("%s: %s: %w", path, m.Name, err)
			}
			l.RTol = max(l.RTol, rtol)
		}
		if m.ATol != nil {
			l.ATol = max(l.ATol, *m.ATol)
		}
		if m.MinCosine != nil {
			l.MinCosine = *m.MinCosine
		}
	}
	return nil
}

// Package models lists third-party models that packages of the usual registries carry, and fetches them with those
// registries' own clients. None of them is part of this repository.
package models

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"strings"
)

//go:embed registry.json
var registryJSON []byte

// Model says where a model file comes from and how to know that it is the right one.
type Model struct {
	Name    string `json:"name"`
	Client  string `json:"client"` // npm, pip or mvn
	Package string `json:"package"`
	Version string `json:"version"`
	File    string `json:"file"` // path inside the package
	SHA256  string `json:"sha256"`
	Size    int64  `json:"size"` // bytes
	Licence string `json:"licence"`
	About   string `json:"about"`
}

// Registry returns the known models.
func Registry() ([]Model, error) {
	var list []Model
	if err := json.Unmarshal(registryJSON, &list); err != nil {
		return nil, fmt.Errorf("registry.json: %w", err)
	}
	return list, nil
}

// Find returns the model of that name; the error lists the names there are.
func Find(name string) (Model, error) {
	list, err := Registry()
	if err != nil {
		return Model{}, err
	}
	names := make([]string, len(list))
	for i, m := range list {
		if m.Name == name {
			return m, nil
		}
		names[i] = m.Name
	}
	return Model{}, fmt.Errorf("no model %q (there are: %s)", name, strings.Join(names, ", "))
}

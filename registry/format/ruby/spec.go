package ruby

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"packhouse.dev/packhouse/registry"
)

// spec is what the registry keeps of a gemspec, and its shape as a stored document.
type spec struct {
	Name            string            `json:"name"`
	Number          string            `json:"number"`
	Platform        string            `json:"platform"` // "ruby" by default
	Summary         string            `json:"summary,omitempty"`
	Description     string            `json:"description,omitempty"`
	Homepage        string            `json:"homepage,omitempty"`
	Authors         []string          `json:"authors,omitempty"`
	Email           []string          `json:"email,omitempty"`
	Licenses        []string          `json:"licenses,omitempty"`
	Metadata        map[string]string `json:"metadata,omitempty"`
	Date            time.Time         `json:"date,omitzero"`
	RubygemsVersion string            `json:"rubygemsVersion,omitempty"` // that made the gem
	Ruby            []string          `json:"requiredRuby,omitempty"`    // requirements, such as ">= 2.7"; none: any
	Rubygems        []string          `json:"requiredRubygems,omitempty"`
	Dependencies    []dependency      `json:"dependencies,omitempty"`
}

// dependency of a gem. Requirements are as in ">= 1.0"; none: any version.
type dependency struct {
	Name         string   `json:"name"`
	Development  bool     `json:"development,omitempty"`
	Requirements []string `json:"requirements,omitempty"`
}

// anyVersion is what clients write for no requirement.
const anyVersion = ">= 0"

func (s *spec) id() (registry.VersionID, error) {
	id, err := names{}.Package("", s.Name)
	if err != nil {
		return registry.VersionID{}, err
	}
	key, err := versionKey(s.Number, s.Platform)
	return registry.VersionID{Package: id, Version: key}, err
}

func (s *spec) encode() ([]byte, error) {
	b, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("encode gemspec: %w", err)
	}
	return b, nil
}

// specOf is the stored gemspec of a version; of one whose gem was never fetched, what its line says.
func specOf(v *registry.Version) (*spec, error) {
	s := new(spec)
	if len(v.Document) > 0 {
		if err := json.Unmarshal(v.Document, s); err != nil {
			return nil, fmt.Errorf("stored gemspec of %s is damaged: %w", v.ID, err)
		}
		return s, nil
	}
	s.Name, s.Date = v.ID.Package.Name, v.PublishedAt
	s.Number, s.Platform = splitVersion(v.ID.Version)
	l, err := lineOf(v)
	if err != nil {
		return nil, err
	}
	s.Ruby, s.Rubygems, s.Dependencies = l.ruby, l.rubygems, l.dependencies
	return s, nil
}

// runtime are the dependencies that are installed with the gem.
func (s *spec) runtime() []dependency {
	return slices.DeleteFunc(slices.Clone(s.Dependencies), func(d dependency) bool { return d.Development })
}

// isRequirement says whether s is an operator and a version, in the form that gemspecs have after loading.
func isRequirement(s string) bool {
	op, number, ok := strings.Cut(s, " ")
	return ok && slices.Contains(operators(), op) && isNumber(number)
}

func operators() []string { return []string{"=", "!=", ">", "<", ">=", "<=", "~>"} }

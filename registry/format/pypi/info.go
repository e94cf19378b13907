package pypi

import (
	"encoding/json"
	"fmt"
	"time"

	"packhouse.dev/packhouse/registry"
)

// fileInfo is Asset.Info: what pages say of a file beside its name, size and digests.
type fileInfo struct {
	RequiresPython string     `json:"requires-python,omitempty"`
	UploadTime     *time.Time `json:"upload-time,omitempty"` // at its origin; nil: not known
}

func (i fileInfo) encode() []byte {
	b, err := json.Marshal(i)
	if err != nil { // a string and a time: only a year beyond 9999 could do it, and those are not taken
		return nil
	}
	return b
}

// infoOf reads Asset.Info. What cannot be read says nothing.
func infoOf(a *registry.Asset) fileInfo {
	var i fileInfo
	if len(a.Info) > 0 && json.Unmarshal(a.Info, &i) != nil {
		return fileInfo{}
	}
	return i
}

// flags is Version.Flags, which follow the upstream (user guide, "Yanked package versions"). pypi.org yanks versions; the protocol, and
// other servers, single files.
type flags struct {
	Yanked map[string]string `json:"yanked,omitempty"` // reason by file; "" is none given
}

// encode returns nil where there is nothing to say, so that equal flags are equal bytes.
func (f flags) encode() []byte {
	if len(f.Yanked) == 0 {
		return nil
	}
	b, err := json.Marshal(f) // sorted by key
	if err != nil {           // strings only: it cannot
		return nil
	}
	return b
}

func flagsOf(v *registry.Version) (flags, error) {
	var f flags
	if len(v.Flags) == 0 {
		return f, nil
	}
	if err := json.Unmarshal(v.Flags, &f); err != nil {
		return f, fmt.Errorf("flags of %s: %w", v.ID, err)
	}
	return f, nil
}

package pypi

import (
	"fmt"
	"strings"

	"packhouse.dev/packhouse/registry"
)

// kind is what a file is to installers.
type kind int

const (
	other  kind = iota // eggs, installers and other old forms: listed if an upstream has them, not taken from clients
	wheel              // .whl
	source             // source archive
)

// fileName is what the name of a distribution says.
type fileName struct {
	kind    kind
	name    string // project, as written there
	version string // as written there
}

// sourceExtensions are those of source archives, longest first. Only the first three are taken from clients.
func sourceExtensions() []string {
	return []string{".tar.gz", ".tgz", ".zip", ".tar.bz2", ".tar.xz", ".tar.lzma", ".tar.z", ".tar", ".tbz", ".txz"}
}

// otherExtensions are those of forms that pypi.org has taken before.
func otherExtensions() []string {
	return []string{".egg", ".exe", ".msi", ".rpm", ".deb", ".dmg"}
}

// cutExtension tells what a file is by the end of its name.
func cutExtension(file string) (stem, extension string, k kind) {
	lower := strings.ToLower(file)
	if strings.HasSuffix(lower, ".whl") {
		return file[:len(file)-4], ".whl", wheel
	}
	for _, ext := range sourceExtensions() {
		if strings.HasSuffix(lower, ext) {
			return file[:len(file)-len(ext)], ext, source
		}
	}
	for _, ext := range otherExtensions() {
		if strings.HasSuffix(lower, ext) {
			return file[:len(file)-len(ext)], ext, other
		}
	}
	return "", "", other
}

// parseWheelName reads "{name}-{version}[-{build}]-{python}-{abi}-{platform}" (binary distribution format, "File name convention").
func parseWheelName(stem string) (fileName, bool) {
	parts := strings.Split(stem, "-")
	if len(parts) != 5 && len(parts) != 6 {
		return fileName{}, false
	}
	if len(parts) == 6 && (parts[2] == "" || parts[2][0] < '0' || parts[2][0] > '9') {
		return fileName{}, false
	}
	for _, p := range parts {
		if p == "" {
			return fileName{}, false
		}
	}
	return fileName{kind: wheel, name: parts[0], version: parts[1]}, isName(parts[0])
}

// parseFileName reads the name of a distribution of a project whose normalised name is known. Names of source archives cannot be cut
// without it: both parts may have hyphens.
func parseFileName(project, file string) (fileName, bool) {
	if !isFile(file) {
		return fileName{}, false
	}
	stem, _, k := cutExtension(file)
	if stem == "" {
		return fileName{}, false
	}
	if k == wheel {
		f, ok := parseWheelName(stem)
		return f, ok && normalised(f.name) == project
	}
	for i := range len(stem) {
		if stem[i] != '-' || normalised(stem[:i]) != project {
			continue
		}
		f := fileName{kind: k, name: stem[:i], version: cutVersion(stem[i+1:])}
		return f, f.version != ""
	}
	return fileName{}, false
}

// cutVersion finds the version at the front of what follows a name: old forms have a platform behind it ("1.0.win32-py2.7"). A text
// without any version by PEP 440 is one as it is.
func cutVersion(rest string) string {
	if rest == "" {
		return ""
	}
	for end := len(rest); end > 0; end = strings.LastIndexAny(rest[:end], ".-") {
		if _, ok := parseVersion(rest[:end]); ok {
			return rest[:end]
		}
	}
	return rest
}

// checkUpload reads the name of a file that a client uploads. Of source archives only those are taken that every installer knows, and
// whose metadata can be read.
func checkUpload(project, file string) (fileName, error) {
	if !isFile(file) {
		return fileName{}, fmt.Errorf("%w: %q is not a file name", registry.ErrInvalid, registry.Clip(file))
	}
	_, ext, k := cutExtension(file)
	switch {
	case k == wheel, ext == ".tar.gz", ext == ".tgz", ext == ".zip":
	default:
		return fileName{}, fmt.Errorf("%w: %q is neither a wheel (.whl) nor a source archive (.tar.gz, .zip)", registry.ErrInvalid, registry.Clip(file))
	}
	f, ok := parseFileName(project, file)
	if !ok {
		return fileName{}, fmt.Errorf("%w: %q is not the name of a file of %s", registry.ErrInvalid, registry.Clip(file), project)
	}
	return f, nil
}

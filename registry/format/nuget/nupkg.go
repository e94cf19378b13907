package nuget

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"strings"

	"packhouse.dev/packhouse/registry"
)

// Limits of what is read out of a package.
const (
	maxEntries = 100_000
	maxNuspec  = 4 << 20
	maxReadme  = 1 << 20
	maxIcon    = 1 << 20
	maxLicense = 1 << 20
)

const nuspecExtension = ".nuspec"

// archive is a package file. Only its directory is read when it is opened.
type archive struct {
	files map[string]*zip.File // by path in lower case, with "/"
	spec  *zip.File
}

func badArchive(reason string, args ...any) error {
	return fmt.Errorf("%w: the package %s", registry.ErrInvalid, fmt.Sprintf(reason, args...))
}

// openArchive reads the directory of a .nupkg or .snupkg (https://learn.microsoft.com/nuget/create-packages/creating-a-package). Exactly
// one .nuspec lies at its top: of two, clients would choose by an order that nobody sees.
func openArchive(r io.ReaderAt, size int64) (*archive, error) {
	z, err := zip.NewReader(r, size)
	if errors.Is(err, zip.ErrInsecurePath) {
		err = nil // judged below, with a reason
	}
	if err != nil {
		return nil, badArchive("is no ZIP archive, or it is cut off")
	}
	if len(z.File) > maxEntries {
		return nil, badArchive("has more than %d entries", maxEntries)
	}
	a := &archive{files: make(map[string]*zip.File, min(len(z.File), 1024))}
	for _, f := range z.File {
		path, ok := cleanPath(f.Name)
		if !ok {
			return nil, badArchive("has an entry named %q, which would leave the folder it is unpacked to", registry.Clip(f.Name))
		}
		if path == "" {
			continue
		}
		if a.files[path] != nil {
			return nil, badArchive("has the entry %q twice", registry.Clip(f.Name))
		}
		a.files[path] = f
		if strings.HasSuffix(path, nuspecExtension) && !strings.Contains(path, "/") {
			if a.spec != nil {
				return nil, badArchive("has two .nuspec files at its top")
			}
			a.spec = f
		}
	}
	if a.spec == nil {
		return nil, badArchive("has no .nuspec file at its top, so that it is no NuGet package")
	}
	return a, nil
}

// cleanPath makes one form of the ways in which tools write a path: some use "\", and some escape it as an address. A folder is "".
func cleanPath(name string) (string, bool) {
	path := strings.ToLower(strings.ReplaceAll(name, `\`, "/"))
	if strings.HasSuffix(path, "/") {
		return "", safe(strings.TrimSuffix(path, "/"))
	}
	return path, safe(path)
}

func safe(path string) bool {
	if path == "" || strings.ContainsFunc(path, func(r rune) bool { return r < ' ' }) {
		return false
	}
	for segment := range strings.SplitSeq(path, "/") {
		if segment == "" || segment == "." || segment == ".." {
			return false
		}
	}
	return len(path) < 2 || path[1] != ':'
}

// read unpacks one file of at most limit bytes.
func (a *archive) read(f *zip.File, limit int64) ([]byte, error) {
	if f.UncompressedSize64 > uint64(limit) {
		return nil, badArchive("has %d bytes of %q, at most %d are read", f.UncompressedSize64, registry.Clip(f.Name), limit)
	}
	rc, err := f.Open()
	if err != nil {
		return nil, badArchive("has %q in a form that is not read: %v", registry.Clip(f.Name), err)
	}
	defer rc.Close()
	b, err := io.ReadAll(io.LimitReader(rc, limit+1))
	if err != nil {
		return nil, badArchive("has a damaged entry %q: %v", registry.Clip(f.Name), err)
	}
	if int64(len(b)) > limit {
		return nil, badArchive("has more bytes of %q than it says", registry.Clip(f.Name))
	}
	return b, nil
}

// member finds a file by the path that a .nuspec gives; nil if there is none.
func (a *archive) member(path string) *zip.File {
	clean, ok := cleanPath(strings.TrimPrefix(strings.TrimPrefix(path, "./"), `.\`))
	if !ok || clean == "" {
		return nil
	}
	return a.files[clean]
}

// manifest reads the .nuspec.
func (a *archive) manifest() (*manifest, []byte, error) {
	raw, err := a.read(a.spec, maxNuspec)
	if err != nil {
		return nil, nil, err
	}
	m, err := parseManifest(raw)
	return m, raw, err
}

// readPackage is the manifest and readme of a package file. A readme that is named and missing, or too large, is none.
func readPackage(r io.ReaderAt, size int64) (*manifest, string, error) {
	a, err := openArchive(r, size)
	if err != nil {
		return nil, "", err
	}
	m, _, err := a.manifest()
	if err != nil {
		return nil, "", err
	}
	if f := a.member(m.readme); f != nil {
		if b, err := a.read(f, maxReadme); err == nil {
			return m, strings.ToValidUTF8(string(b), "\uFFFD"), nil
		}
	}
	return m, "", nil
}

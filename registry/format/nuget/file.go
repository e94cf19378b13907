package nuget

import (
	"archive/zip"
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/format"
)

// serveFile serves the files of a version: those that are stored, and those that are read out of the package.
func serveFile(w http.ResponseWriter, r *http.Request, repo format.Reader, t target) error {
	id := registry.VersionID{Package: t.id, Version: t.version}
	switch t.file {
	case filePackage:
		return serveAsset(w, r, repo, id, packageExtension)
	case fileSymbols:
		return serveAsset(w, r, repo, id, symbolExtension)
	}
	var d *format.Document
	err := withPackage(r.Context(), repo, id, func(a *archive) error {
		out, err := a.part(t.file)
		if err != nil {
			return fmt.Errorf("%s: %w", id, err)
		}
		d, err = format.NewDocument(out)
		return err
	})
	if err != nil {
		return err
	}
	return format.ServeDocument(w, r, d)
}

func serveAsset(w http.ResponseWriter, r *http.Request, repo format.Reader, id registry.VersionID, extension string) error {
	mode := format.Open
	if r.Method == http.MethodHead {
		mode = format.Stat
	}
	asset, err := repo.Asset(r.Context(), id, assetName(id, extension), mode)
	if err != nil {
		return err
	}
	if asset.Body != nil {
		defer asset.Body.Close()
	}
	return format.ServeAsset(w, r, asset, "application/octet-stream")
}

// part is a file out of a package, as a document.
func (a *archive) part(f file) (*format.Rendered, error) {
	m, spec, err := a.manifest()
	if err != nil {
		return nil, err
	}
	out := &format.Rendered{}
	var path string
	var limit int64
	switch f {
	case fileNuspec:
		out.ContentType, out.Body = "application/xml", spec
		return out, nil
	case fileReadme:
		path, limit, out.ContentType = m.readme, maxReadme, "text/markdown; charset=utf-8"
	case fileIcon:
		path, limit = m.icon, maxIcon
	default:
		path, limit, out.ContentType = m.license, maxLicense, "text/plain; charset=utf-8"
	}
	var member *zip.File
	if path != "" {
		member = a.member(path)
	}
	if member == nil {
		return nil, fmt.Errorf("%w: the package has no such file", registry.ErrNotFound)
	}
	if out.Body, err = a.read(member, limit); err != nil {
		return nil, err
	}
	if f == fileIcon {
		out.ContentType = imageType(out.Body)
	}
	return out, nil
}

// imageType is that of an icon: the two kinds that NuGet allows, and else nothing that a browser would run.
func imageType(b []byte) string {
	switch kind := http.DetectContentType(b); kind {
	case "image/png", "image/jpeg":
		return kind
	default:
		return "application/octet-stream"
	}
}

// withPackage opens the package file of a version. One that still comes from an upstream is read to its end first: its directory is
// there.
func withPackage(ctx context.Context, repo format.Reader, id registry.VersionID, use func(*archive) error) error {
	for range 2 {
		done, err := usePackage(ctx, repo, id, use)
		if done || err != nil {
			return err
		}
	}
	return fmt.Errorf("%w: %s was not stored", registry.ErrUnavailable, id)
}

func usePackage(ctx context.Context, repo format.Reader, id registry.VersionID, use func(*archive) error) (done bool, err error) {
	asset, err := repo.Asset(ctx, id, assetName(id, packageExtension), format.Open)
	if err != nil {
		return false, err
	}
	defer asset.Body.Close()
	body, ok := asset.Body.(io.ReadSeeker)
	if !ok {
		_, err := io.Copy(io.Discard, asset.Body)
		return false, err
	}
	at, ok := body.(io.ReaderAt)
	if !ok {
		at = &seeking{r: body}
	}
	a, err := openArchive(at, asset.Size)
	if err != nil {
		return false, fmt.Errorf("%s: %w", id, err)
	}
	return true, use(a)
}

// seeking reads at offsets where there is only one position.
type seeking struct {
	mu sync.Mutex
	r  io.ReadSeeker
}

// ReadAt implements io.ReaderAt.
func (s *seeking) ReadAt(p []byte, off int64) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.r.Seek(off, io.SeekStart); err != nil {
		return 0, err
	}
	n, err := io.ReadFull(s.r, p)
	if err == io.ErrUnexpectedEOF {
		err = io.EOF
	}
	return n, err
}

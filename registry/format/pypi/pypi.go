package pypi

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/format"
)

// Format is the Python format. It has no state but a clock.
type Format struct {
	now func() time.Time
}

var (
	_ format.Format    = Format{}
	_ format.Describer = Format{}
	_ format.Remote    = Format{}
	_ format.Extractor = Format{}
)

// New returns the format.
func New() Format { return Format{now: time.Now} }

// Traits implements format.Format. pypi.org has its files on a host of their own.
func (Format) Traits() format.Traits {
	return format.Traits{
		Name: Name, Grows: format.GrowsAlways, Follows: true, PublishActions: []string{"codeartifact:PublishPackageVersion"},
		Presets: []format.Preset{{Name: "public:pypi", URL: "https://pypi.org/simple/", Hosts: []string{"files.pythonhosted.org"}}},
	}
}

// Names implements format.Format.
func (Format) Names() format.Names { return names{} }

// Serve implements format.Format.
func (f Format) Serve(w http.ResponseWriter, r *http.Request, repo format.Repository) error {
	a, err := parsePath(format.Rest(r))
	if err != nil {
		return err
	}
	read := r.Method == http.MethodGet || r.Method == http.MethodHead
	switch {
	case a.op == opUpload && r.Method == http.MethodPost:
		return f.publish(w, r, repo)
	case a.op == opUpload && read:
		return fmt.Errorf("%w: this is the address for uploads; projects are below simple/", registry.ErrNotFound)
	case r.Method == http.MethodPost:
		return fmt.Errorf("%w: this is the address of an index; uploads go to %s, and pip search is not there", registry.ErrUnsupported, repo.URL(""))
	case !read:
		return fmt.Errorf("%w: %s at this address", registry.ErrUnsupported, r.Method)
	}
	switch a.op {
	case opMoved:
		return redirect(w, r, repo, a)
	case opProjects:
		return projects(w, r, repo)
	case opProject:
		return project(w, r, repo, a.id)
	case opFile:
		return file(w, r, repo, a)
	default:
		return fmt.Errorf("%w: no such address", registry.ErrNotFound)
	}
}

// redirect sends clients to the one spelling of an address: relative links in the page would be wrong below another.
func redirect(w http.ResponseWriter, r *http.Request, repo format.Repository, a address) error {
	to := repo.URL(a.path)
	if r.URL.RawQuery != "" {
		to += "?" + r.URL.RawQuery
	}
	w.Header().Set("Location", to)
	w.Header().Set("Cache-Control", "private, no-cache")
	w.Header().Set("Content-Length", "0")
	w.WriteHeader(http.StatusMovedPermanently)
	return nil
}

// project serves the page of a project.
func project(w http.ResponseWriter, r *http.Request, repo format.Reader, id registry.PackageID) error {
	rep, ok := negotiate(r)
	if !ok {
		return notAcceptable(w)
	}
	d, err := repo.Document(r.Context(), id, string(rep), func(v *format.PackageView) (*format.Rendered, error) { return renderProject(v, rep) })
	if err != nil {
		return err
	}
	return format.ServeDocument(w, r, d)
}

// projects serves the list of projects.
func projects(w http.ResponseWriter, r *http.Request, repo format.Index) error {
	rep, ok := negotiate(r)
	if !ok {
		return notAcceptable(w)
	}
	d, err := repo.IndexDocument(r.Context(), string(rep), projectList{rep})
	if err != nil {
		return err
	}
	return format.ServeDocument(w, r, d)
}

// file serves a file or the core metadata of one.
func file(w http.ResponseWriter, r *http.Request, repo format.Reader, a address) error {
	mode := format.Open
	if r.Method == http.MethodHead {
		mode = format.Stat
	}
	id := registry.VersionID{Package: a.id, Version: a.version}
	asset, err := repo.Asset(r.Context(), id, a.file, mode)
	if mode == format.Open && errors.Is(err, registry.ErrUnavailable) {
		if own := metadataOfStored(r.Context(), repo, id, a.file); own != nil {
			asset, err = own, nil
		}
	}
	if err != nil {
		return err
	}
	if asset.Body != nil {
		defer asset.Body.Close()
	}
	return format.ServeAsset(w, r, asset, contentType(a.file))
}

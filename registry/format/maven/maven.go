package maven

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/format"
)

// Format is the Maven format. It has no state.
type Format struct{}

var (
	_ format.Format      = Format{}
	_ format.ErrorWriter = Format{}
	_ format.Describer   = Format{}
	_ format.Remote      = Format{}
	_ format.Layout      = Format{}
	_ format.Inspector   = Format{}
	_ format.HeldOnly    = Format{}
)

// New returns the format.
func New() Format { return Format{} }

// Traits implements format.Format. Lists have Unlisted versions because builds of snapshots are such.
func (Format) Traits() format.Traits {
	return format.Traits{
		Name: Name, Grows: format.GrowsAlways, Unfinished: true, MarksUnlisted: true, PublishActions: []string{"codeartifact:PublishPackageVersion"},
		Presets: []format.Preset{
			{Name: "public:maven-central", URL: "https://repo.maven.apache.org/maven2/"},
			{Name: "public:maven-googleandroid", URL: "https://dl.google.com/android/maven2/"},
			{Name: "public:maven-gradleplugins", URL: "https://plugins.gradle.org/m2/", Hosts: []string{"plugins-artifacts.gradle.org", "repo.maven.apache.org"}},
			{Name: "public:maven-commonsware", URL: "https://repo.commonsware.com.s3.amazonaws.com/"},
			{Name: "public:maven-clojars", URL: "https://repo.clojars.org/"},
		},
	}
}

// Names implements format.Format.
func (Format) Names() format.Names { return names{} }

// Serve implements format.Format.
func (Format) Serve(w http.ResponseWriter, r *http.Request, repo format.Repository) error {
	a, err := parsePath(format.Rest(r))
	read := r.Method == http.MethodGet || r.Method == http.MethodHead
	switch {
	case !read && r.Method != http.MethodPut:
		return fmt.Errorf("%w: %s at this address", registry.ErrUnsupported, r.Method)
	case err != nil && !read:
		return fmt.Errorf("%w: files go to group/artifact/version/file", registry.ErrInvalid)
	case err != nil:
		return err
	case read && a.op == opFile:
		return file(w, r, repo, a)
	case read:
		return serveMetadata(w, r, repo, a)
	case a.op == opFile && a.checksum != "":
		return putChecksum(w, r, repo, a)
	case a.op == opFile:
		return putFile(w, r, repo, a)
	case a.checksum != "":
		return putMetadataChecksum(w, r, repo, a)
	default:
		return putMetadata(w, r, repo, a)
	}
}

const typeProblem = "application/problem+json"

// WriteError implements format.ErrorWriter. Newer clients ask for the form of RFC 9457 and show its detail; older ones show no text.
func (Format) WriteError(w http.ResponseWriter, r *http.Request, status int, message string) {
	contentType, body := "text/plain; charset=utf-8", []byte(message+"\n")
	if strings.Contains(r.Header.Get("Accept"), typeProblem) {
		problem, err := json.Marshal(map[string]any{"status": status, "title": http.StatusText(status), "detail": message})
		if err == nil { // strings and a number: it is
			contentType, body = typeProblem, problem
		}
	}
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // the client is gone; there is nobody to tell
	}
}

// created answers an upload.
func created(w http.ResponseWriter, isNew bool) error {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Length", "0")
	if isNew {
		w.WriteHeader(http.StatusCreated)
	} else {
		w.WriteHeader(http.StatusOK)
	}
	return nil
}

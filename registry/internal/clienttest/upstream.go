package clienttest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// Mode is how the fake upstream behaves.
type Mode int

// The modes of an upstream.
const (
	Healthy Mode = iota
	Broken       // 500 to everything
	Hanging      // accepts and says nothing
	HTML         // 200 with a login page
	Lying        // tarballs with other bytes than announced
	Torn         // tarballs that end in the middle
	Private      // redirects to an address inside the network
	Limited      // 429 to everything
	Down         // breaks every connection, as if nobody listened
)

// Upstream is a public npm registry on the loopback interface that remembers what it was asked.
type Upstream struct {
	URL string

	mu       sync.Mutex
	server   *httptest.Server
	mode     Mode
	files    string // base address of tarballs in lists
	packages map[string][]Package
	log      []string
	closed   chan struct{}
}

// NewUpstream starts a registry that holds packages.
func NewUpstream(t testing.TB, packages ...Package) *Upstream {
	t.Helper()
	u := &Upstream{packages: map[string][]Package{}, closed: make(chan struct{})}
	u.server = httptest.NewServer(u)
	u.URL = u.server.URL + "/"
	u.files = u.URL
	u.Add(packages...)
	t.Cleanup(u.Stop)
	return u
}

// Add publishes packages there.
func (u *Upstream) Add(packages ...Package) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, p := range packages {
		u.packages[p.Name] = append(u.packages[p.Name], p)
	}
}

// Behave changes how it answers from now on.
func (u *Upstream) Behave(m Mode) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.mode = m
}

// PointTo makes its lists name tarballs of another server, an address with a slash at the end.
func (u *Upstream) PointTo(server string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.files = server
}

// Stop takes it off the network. Stopping twice is fine.
func (u *Upstream) Stop() {
	u.mu.Lock()
	select {
	case <-u.closed:
	default:
		close(u.closed)
	}
	u.mu.Unlock()
	u.server.CloseClientConnections()
	u.server.Close()
}

// Log returns the requests so far, as "GET /name".
func (u *Upstream) Log() []string {
	u.mu.Lock()
	defer u.mu.Unlock()
	return slices.Clone(u.log)
}

// Heard says whether any request since the first skip ones contained text, in its path, query or body.
func (u *Upstream) Heard(skip int, text string) bool {
	return slices.ContainsFunc(u.Log()[skip:], func(l string) bool { return strings.Contains(l, text) })
}

// ServeHTTP answers as the public registry does.
func (u *Upstream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name, file := splitPath(r.URL)
	body := new(bytes.Buffer)
	_, _ = body.ReadFrom(http.MaxBytesReader(w, r.Body, 1<<20))
	u.mu.Lock()
	unescaped, _ := url.PathUnescape(r.URL.RequestURI())
	u.log = append(u.log, strings.TrimSpace(r.Method+" "+unescaped+" "+body.String()))
	mode, versions, files := u.mode, slices.Clone(u.packages[name]), u.files
	u.mu.Unlock()

	switch {
	case mode == Broken:
		http.Error(w, `{"error":"upstream is broken"}`, http.StatusInternalServerError)
	case mode == Limited:
		w.Header().Set("Retry-After", "1")
		http.Error(w, `{"error":"slow down"}`, http.StatusTooManyRequests)
	case mode == Hanging:
		select {
		case <-r.Context().Done():
		case <-u.closed:
		}
	case mode == Down:
		panic(http.ErrAbortHandler)
	case mode == HTML:
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, "<html><body>Please sign in</body></html>")
	case mode == Private:
		http.Redirect(w, r, "http://10.0.0.1/latest/meta-data", http.StatusFound)
	case len(versions) == 0:
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `{"error":"Not found"}`)
	case file != "":
		serveTarball(w, r, mode, versions, file)
	default:
		servePackument(w, r, name, files, versions)
	}
}

// splitPath cuts "/@scope/name/-/file.tgz" into name and file, whatever the scope's slash looks like.
func splitPath(u *url.URL) (name, file string) {
	p := strings.TrimPrefix(u.Path, "/")
	name, file, _ = strings.Cut(p, "/-/")
	return name, file
}

// base is the file name of a tarball.
func base(p Package) string { return path.Base(p.Name) + "-" + p.Version + ".tgz" }

func serveTarball(w http.ResponseWriter, r *http.Request, mode Mode, versions []Package, file string) {
	i := slices.IndexFunc(versions, func(p Package) bool { return base(p) == file })
	if i < 0 {
		http.NotFound(w, r)
		return
	}
	data := versions[i].Tarball()
	switch mode {
	case Lying:
		data = slices.Clone(data)
		data[len(data)-1] ^= 1
	case Torn:
		w.Header().Set("Content-Length", fmt.Sprint(len(data)))
		_, _ = w.Write(data[:len(data)/2])
		panic(http.ErrAbortHandler)
	default:
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
}

func servePackument(w http.ResponseWriter, r *http.Request, name, files string, versions []Package) {
	tags, docs, times := map[string]string{}, map[string]any{}, map[string]string{}
	newest := time.Unix(0, 0)
	for _, p := range versions {
		age := p.Age
		if age == 0 {
			age = 30 * 24 * time.Hour
		}
		at := time.Now().Add(-age).UTC()
		if at.After(newest) {
			newest = at
		}
		tag := p.Tag
		if tag == "" {
			tag = "latest"
		}
		tarball := p.Tarball()
		m := p.Manifest()
		m["_id"] = p.Name + "@" + p.Version
		m["dist"] = map[string]any{"tarball": files + p.Name + "/-/" + base(p), "shasum": Shasum(tarball), "integrity": Integrity(tarball),
			"fileCount": len(p.Contents()), "unpackedSize": 100}
		tags[tag], docs[p.Version], times[p.Version] = p.Version, m, at.Format("2006-01-02T15:04:05.000Z")
	}
	// Whole hours, so that the document does not change from one request to the next and has a stable ETag.
	for v, at := range times {
		times[v] = at[:14] + "00:00.000Z"
	}
	times["created"] = "2020-01-01T00:00:00.000Z"
	times["modified"] = newest.Format("2006-01-02T15:") + "00:00.000Z"
	data, err := json.Marshal(map[string]any{"_id": name, "name": name, "dist-tags": tags, "versions": docs, "time": times})
	if err != nil {
		panic(err) // strings and maps
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("ETag", `"`+Shasum(data)+`"`)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
}

package clienttest_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"packhouse.dev/packhouse/registry/format/pypi/pypitest"
	"packhouse.dev/packhouse/registry/internal/clienttest"
)

// index is an index like pypi.org: JSON, core metadata beside wheels, and files on a path of their own.
type index struct {
	*httptest.Server
	down atomic.Bool

	mu    sync.Mutex
	pages map[string][]*entry
	log   []string
}

// entry is one file of an index.
type entry struct {
	name     string
	content  []byte
	metadata string // "": none is announced
	requires string
	yanked   any
	uploaded time.Time
	sends    []byte // instead of content, if not nil
}

func newIndex(t *testing.T, dists ...pypitest.Dist) *index {
	t.Helper()
	i := &index{pages: map[string][]*entry{}}
	i.Server = httptest.NewServer(i)
	t.Cleanup(i.Close)
	for _, d := range dists {
		i.wheel(d)
	}
	return i
}

// simple is the address of the index.
func (i *index) simple() string { return i.URL + "/simple/" }

func (i *index) wheel(d pypitest.Dist) *entry {
	e := &entry{name: d.WheelName(), content: d.Wheel(), metadata: d.Metadata(), requires: d.RequiresPython, yanked: false}
	i.add(d.Name, e)
	return e
}

func (i *index) source(d pypitest.Dist) *entry {
	e := &entry{name: d.SourceName(), content: d.Source(), requires: d.RequiresPython, yanked: false}
	i.add(d.Name, e)
	return e
}

func (i *index) add(project string, e *entry) {
	i.change(func() {
		e.uploaded = time.Date(2024, 5, 6, 7, 8, 9, 123456000, time.UTC)
		i.pages[project] = append(i.pages[project], e)
	})
}

// change changes entries while the index is served.
func (i *index) change(fn func()) {
	i.mu.Lock()
	defer i.mu.Unlock()
	fn()
}

// heard says whether a path with the text was asked for.
func (i *index) heard(text string) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return slices.ContainsFunc(i.log, func(p string) bool { return strings.Contains(p, text) })
}

func (i *index) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.log = append(i.log, r.URL.Path)
	switch project, isPage := strings.CutPrefix(r.URL.Path, "/simple/"); {
	case i.down.Load():
		panic(http.ErrAbortHandler)
	case isPage:
		i.servePage(w, strings.TrimSuffix(project, "/"))
	default:
		i.serveFile(w, r)
	}
}

func (i *index) servePage(w http.ResponseWriter, project string) {
	list, ok := i.pages[project]
	if !ok {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	files := []any{}
	for _, e := range list {
		f := map[string]any{
			"filename": e.name, "url": "../../files/" + e.name, "hashes": map[string]string{"sha256": pypitest.SHA256(e.content)}, "size": len(e.content),
			"upload-time": e.uploaded.Format("2006-01-02T15:04:05.000000Z"), "yanked": e.yanked, "requires-python": nil,
		}
		if e.requires != "" {
			f["requires-python"] = e.requires
		}
		if e.metadata != "" {
			f["core-metadata"] = map[string]string{"sha256": pypitest.SHA256([]byte(e.metadata))}
		}
		files = append(files, f)
	}
	w.Header().Set("Content-Type", "application/vnd.pypi.simple.v1+json")
	_ = json.NewEncoder(w).Encode(map[string]any{"meta": map[string]string{"api-version": "1.1"}, "name": project, "versions": []string{}, "files": files})
}

func (i *index) serveFile(w http.ResponseWriter, r *http.Request) {
	for _, list := range i.pages {
		for _, e := range list {
			switch r.URL.Path {
			case "/files/" + e.name:
				content := e.content
				if e.sends != nil {
					content = e.sends
				}
				http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
				return
			case "/files/" + e.name + ".metadata":
				if e.metadata != "" {
					http.ServeContent(w, r, "x.txt", time.Time{}, strings.NewReader(e.metadata))
					return
				}
			}
		}
	}
	w.WriteHeader(http.StatusNotFound)
}

// folderIndex serves folders of distributions with Python's own web server, as people do, and returns its address. stop takes it off
// the network.
func folderIndex(t *testing.T, python string, files map[string][]byte) (url string, stop func()) {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	host, port, _ := strings.Cut(clienttest.FreePort(t), ":")
	cmd := exec.Command(python, "-m", "http.server", "--bind", host, "--directory", dir, port)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var once sync.Once
	stop = func() {
		once.Do(func() {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		})
	}
	t.Cleanup(stop)
	url = fmt.Sprintf("http://%s:%s/", host, port)
	for range 200 {
		if resp, err := http.Get(url); err == nil {
			resp.Body.Close()
			return url, stop
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal("python -m http.server does not answer")
	return "", nil
}

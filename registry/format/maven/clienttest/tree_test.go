package clienttest_test

import (
	"archive/zip"
	"bytes"
	"crypto/sha1"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
)

// tree is a public Maven repository: files by path, and a file of the SHA-1 of each. It notes what it is asked for.
type tree struct {
	*httptest.Server

	mu    sync.Mutex
	files map[string]string
	log   []string
	down  bool
}

func newTree(t *testing.T) *tree {
	t.Helper()
	x := &tree{files: map[string]string{}}
	x.Server = httptest.NewServer(x)
	t.Cleanup(x.Close)
	return x
}

// artifact adds versions of a package with POM and jar, and the list of them; the jar of a version says which it is.
func (x *tree) artifact(group, name string, versions ...string) {
	dir := strings.ReplaceAll(group, ".", "/") + "/" + name + "/"
	list := ""
	for _, v := range versions {
		at := dir + v + "/" + name + "-" + v
		x.put(at+".pom", fmt.Sprintf("<project><modelVersion>4.0.0</modelVersion><groupId>%s</groupId><artifactId>%s</artifactId><version>%s</version><description>Theirs.</description></project>", group, name, v))
		x.put(at+".jar", "jar of "+name+" "+v)
		list += "<version>" + v + "</version>"
	}
	x.put(dir+"maven-metadata.xml", "<metadata><groupId>"+group+"</groupId><artifactId>"+name+"</artifactId><versioning><versions>"+list+"</versions><lastUpdated>20240506070809</lastUpdated></versioning></metadata>")
}

func (x *tree) put(path, text string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.files["/"+path] = text
	x.files["/"+path+".sha1"] = sha1Of(text)
}

func sha1Of(text string) string { return fmt.Sprintf("%x", sha1.Sum([]byte(text))) }

// pluginJar is the jar of a Maven plugin.
func pluginJar(t *testing.T, prefix string) string {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w, err := z.Create("META-INF/maven/plugin.xml")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprintf(w, "<plugin><name>A plugin</name><goalPrefix>%s</goalPrefix></plugin>", prefix); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// only changes a file and leaves its checksum as it is.
func (x *tree) only(path, text string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.files["/"+path] = text
}

func (x *tree) goDown(down bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.down = down
}

// heard is what was asked for that has the text.
func (x *tree) heard(text string) []string {
	x.mu.Lock()
	defer x.mu.Unlock()
	var out []string
	for _, p := range x.log {
		if strings.Contains(p, text) {
			out = append(out, p)
		}
	}
	slices.Sort(out)
	return out
}

// ServeHTTP implements http.Handler.
func (x *tree) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.down {
		panic(http.ErrAbortHandler)
	}
	x.log = append(x.log, r.URL.Path)
	text, ok := x.files[r.URL.Path]
	if !ok {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	_, _ = fmt.Fprint(w, text)
}

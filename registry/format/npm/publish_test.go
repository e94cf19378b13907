package npm

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/format"
)

// request is the body of a publish, as npm writes it. Fields may be changed before it is encoded.
type request map[string]any

func publishRequest(name, version, tag string, tarball []byte) request {
	s := &fakeStaged{b: tarball}
	d := s.Digests()
	file := name + "-" + version + ".tgz"
	return request{
		"_id": name, "name": name, "description": "d", "access": nil,
		"dist-tags": map[string]any{tag: version},
		"versions": map[string]any{version: map[string]any{
			"name": name, "version": version, "_nodeVersion": "20.0.0", "gitHead": "abc", "dependencies": map[string]any{"evil": "*"},
			"dist": map[string]any{"integrity": "sha512-" + b64hex(d.SHA512), "shasum": d.SHA1, "tarball": "http://elsewhere/" + file},
		}},
		"_attachments": map[string]any{file: map[string]any{
			"content_type": "application/octet-stream", "data": base64.StdEncoding.EncodeToString(tarball), "length": len(tarball),
		}},
	}
}

func b64hex(hex string) string {
	var b []byte
	if _, err := fmt.Sscanf(hex, "%x", &b); err != nil {
		panic(err)
	}
	return base64.StdEncoding.EncodeToString(b)
}

func (q request) body(t testing.TB) []byte {
	t.Helper()
	b, err := json.Marshal(q)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func publish(t *testing.T, repo *fakeRepository, name, version, tag string, files ...entry) {
	t.Helper()
	tarball := tgz(t, append([]entry{packageJSON(name, version)}, files...)...)
	w := do(t, repo, "PUT", escapedName(npmID(name)), bytes.NewReader(publishRequest(name, version, tag, tarball).body(t)))
	if w.Code != http.StatusCreated {
		t.Fatalf("publish %s@%s: %d %s", name, version, w.Code, w.Body)
	}
}

func TestPublish(t *testing.T) {
	t.Parallel()
	repo := newFake()
	pkg := `{"name":"@s/n","version":"v1.0.0","description":"from the tarball","bin":"./cli.js","_resolved":"x",
			"dependencies":{"a":"^1"},"bundledDependencies":true,"scripts":{"postinstall":"node x"},"deprecated":"no","libc":["glibc"],"dist":{"x":1}}`
	tarball := tgz(t, entry{name: "package/package.json", body: pkg}, entry{name: "package/README.md", body: "# n"}, entry{name: "package/npm-shrinkwrap.json", body: "{}"})
	body := publishRequest("@s/n", "1.0.0", "latest", tarball).body(t)
	if w := do(t, repo, "PUT", "@s%2fn", bytes.NewReader(body)); w.Code != http.StatusCreated || !strings.Contains(w.Body.String(), `"ok":true`) {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if w := do(t, repo, "PUT", "@s%2fn", bytes.NewReader(body)); w.Code != http.StatusOK {
		t.Errorf("the same again: %d %s", w.Code, w.Body)
	}
	w := do(t, repo, "GET", "@s%2fn/1.0.0", nil)
	var got map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatalf("%v: %s", err, w.Body)
	}
	d := (&fakeStaged{b: tarball}).Digests()
	want := map[string]any{
		"name": "@s/n", "version": "1.0.0", "description": "from the tarball", "bin": map[string]any{"n": "./cli.js"},
		"dependencies": map[string]any{"a": "^1"}, "bundleDependencies": []any{"a"}, "scripts": map[string]any{"postinstall": "node x"},
		"libc": []any{"glibc"}, "hasInstallScript": true, "_hasShrinkwrap": true, "_id": "@s/n@1.0.0", "_nodeVersion": "20.0.0", "gitHead": "abc",
		"dist": map[string]any{
			"integrity": "sha512-" + b64hex(d.SHA512), "shasum": d.SHA1, "fileCount": 3.0, "unpackedSize": float64(len(pkg) + len("# n") + len("{}")),
			"tarball": "http://packhouse.test/d-111122223333/npm/r/@s/n/-/n-1.0.0.tgz",
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("version (-want +got):\n%s", diff)
	}
	w = do(t, repo, "GET", "@s/n/-/n-1.0.0.tgz", nil)
	if !bytes.Equal(w.Body.Bytes(), tarball) || w.Header().Get("Content-Type") != "application/octet-stream" || w.Header().Get("Content-Encoding") != "" {
		t.Errorf("tarball: %d, %d bytes, %v", w.Code, w.Body.Len(), w.Header())
	}
	if repo.staged != 0 {
		t.Errorf("%d staged files were not closed", repo.staged)
	}
}

func TestPublishBinDirectory(t *testing.T) {
	t.Parallel()
	repo := newFake()
	tarball := tgz(t, entry{name: "package/package.json", body: `{"name":"n","version":"1.0.0","directories":{"bin":"./bin"}}`},
		entry{name: "package/bin/a.js"}, entry{name: "package/bin/sub/b.js"}, entry{name: "package/lib/c.js"})
	if w := do(t, repo, "PUT", "n", bytes.NewReader(publishRequest("n", "1.0.0", "latest", tarball).body(t))); w.Code != 201 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if w := do(t, repo, "GET", "n/latest", nil); !strings.Contains(w.Body.String(), `"bin":{"a.js":"bin/a.js"}`) {
		t.Errorf("%s", w.Body)
	}
}

func TestPublishProvenance(t *testing.T) {
	t.Parallel()
	repo := newFake()
	q := publishRequest("n", "1.0.0", "latest", tgz(t, packageJSON("n", "1.0.0")))
	q["_attachments"].(map[string]any)["n-1.0.0.sigstore"] = map[string]any{"content_type": "x", "data": `{"bundle":"ä\"}"}`, "length": 17}
	if w := do(t, repo, "PUT", "n", bytes.NewReader(q.body(t))); w.Code != 201 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	w := do(t, repo, "GET", "n/-/n-1.0.0.sigstore", nil)
	if w.Body.String() != `{"bundle":"ä\"}"}` || w.Header().Get("Content-Type") != "application/json" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if a := repo.own[npmID("n")].versions["1.0.0"].Asset("n-1.0.0.sigstore"); a.Listed {
		t.Error("the provenance bundle is listed")
	}
}

// Abuse cases A3 and the checks of a publish.
func TestPublishAbuse(t *testing.T) {
	t.Parallel()
	tarball := tgz(t, packageJSON("n", "1.0.0"))
	file := func(q request) map[string]any {
		return q["_attachments"].(map[string]any)["n-1.0.0.tgz"].(map[string]any)
	}
	ver := func(q request) map[string]any { return q["versions"].(map[string]any)["1.0.0"].(map[string]any) }
	tests := map[string]struct {
		url    string // "n" if empty
		change func(q request)
		raw    func(body []byte) []byte
		status int
		want   string // part of the answer
	}{
		"good":                                    {status: 201},
		"URL names another package":               {url: "m", status: 400, want: "the address names m"},
		"body names another package":              {change: func(q request) { q["name"] = "m" }, status: 400, want: "the address names n"},
		"version names another":                   {change: func(q request) { ver(q)["name"] = "m" }, status: 400},
		"version key differs":                     {change: func(q request) { ver(q)["version"] = "2.0.0" }, status: 400},
		"build metadata is no version of its own": {change: func(q request) { ver(q)["version"] = "1.0.0+b" }, status: 201},
		"two versions":                            {change: func(q request) { q["versions"].(map[string]any)["1.0.1"] = ver(q) }, status: 400, want: "publish exactly one"},
		"no versions":                             {change: func(q request) { q["versions"] = map[string]any{} }, status: 400, want: "publish exactly one"},
		"tarball of another version": {change: func(q request) {
			other := tgz(t, packageJSON("n", "2.0.0"))
			from := publishRequest("n", "1.0.0", "latest", other)
			q["versions"], q["_attachments"] = from["versions"], from["_attachments"]
		}, status: 400, want: "package.json in the tarball has version"},
		"tarball of another package": {change: func(q request) {
			other := publishRequest("n", "1.0.0", "latest", tgz(t, packageJSON("evil", "1.0.0")))
			q["versions"], q["_attachments"] = other["versions"], other["_attachments"]
		}, status: 400, want: "package.json in the tarball names"},
		"attachment name is a path":  {change: func(q request) { q["_attachments"] = map[string]any{"@s/../../x.tgz": file(q)} }, status: 201},
		"attachment of another kind": {change: func(q request) { q["_attachments"].(map[string]any)["x.exe"] = map[string]any{"data": ""} }, status: 400, want: "neither a tarball"},
		"two tarballs":               {change: func(q request) { q["_attachments"].(map[string]any)["x.tgz"] = file(q) }, status: 400, want: "more than one"},
		"no attachment":              {change: func(q request) { delete(q, "_attachments") }, status: 400, want: "has no tarball"},
		"empty attachments":          {change: func(q request) { q["_attachments"] = map[string]any{} }, status: 400, want: "has no tarball"},
		"attachments first":          {raw: func(b []byte) []byte { return b }, status: 201},
		"versions first":             {raw: versionsFirst, status: 201},
		"length wrong":               {change: func(q request) { file(q)["length"] = 1 }, status: 400, want: "the request says 1"},
		"length is no number":        {change: func(q request) { file(q)["length"] = "x" }, status: 400},
		"length missing":             {change: func(q request) { delete(file(q), "length") }, status: 201},
		"integrity wrong": {change: func(q request) {
			ver(q)["dist"].(map[string]any)["integrity"] = "sha512-" + b64hex(strings.Repeat("00", 64))
		}, status: 400, want: "sha512"},
		"shasum wrong":                {change: func(q request) { ver(q)["dist"].(map[string]any)["shasum"] = strings.Repeat("0", 40) }, status: 400, want: "sha1"},
		"integrity of another kind":   {change: func(q request) { ver(q)["dist"].(map[string]any)["integrity"] = "md5-AAAA sha384-BBBB" }, status: 201},
		"no digests":                  {change: func(q request) { delete(ver(q), "dist") }, status: 201},
		"base64 with line ends":       {change: func(q request) { s := file(q)["data"].(string); file(q)["data"] = s[:8] + "\r\n" + s[8:] }, status: 201},
		"base64 with escaped slashes": {raw: func(b []byte) []byte { return bytes.ReplaceAll(b, []byte("/"), []byte(`\/`)) }, status: 201},
		"base64 with garbage":         {change: func(q request) { file(q)["data"] = "!" + file(q)["data"].(string) }, status: 400, want: "not valid base64"},
		"base64 without padding":      {change: func(q request) { file(q)["data"] = strings.TrimRight(file(q)["data"].(string), "=") + "A" }, status: 400},
		"data is no string":           {change: func(q request) { file(q)["data"] = 1 }, status: 400},
		"data missing":                {change: func(q request) { delete(file(q), "data") }, status: 400, want: "has no tarball"},
		"truncated":                   {raw: func(b []byte) []byte { return b[:len(b)/2] }, status: 400, want: "ends in the middle"},
		"something follows":           {raw: func(b []byte) []byte { return append(b, "{}"...) }, status: 400},
		"versions twice":              {raw: func(b []byte) []byte { return append([]byte(`{"versions":{},`), b[1:]...) }, status: 400, want: "twice"},
		"tag is a range":              {change: func(q request) { q["dist-tags"] = map[string]any{"1.x": "1.0.0"} }, status: 400, want: "reads as a range"},
		"tag of another version":      {change: func(q request) { q["dist-tags"] = map[string]any{"latest": "2.0.0"} }, status: 400},
		"tag with a slash":            {change: func(q request) { q["dist-tags"] = map[string]any{"a/b": "1.0.0"} }, status: 400},
		"no tags":                     {change: func(q request) { delete(q, "dist-tags") }, status: 201},
		"provenance is no JSON":       {change: func(q request) { q["_attachments"].(map[string]any)["n.sigstore"] = map[string]any{"data": "AAAA"} }, status: 400, want: "provenance"},
		"name of old packages":        {url: "N", status: 400},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			repo := newFake()
			q := publishRequest("n", "1.0.0", "latest", tarball)
			if tt.change != nil {
				tt.change(q)
			}
			body := q.body(t)
			if tt.raw != nil {
				body = tt.raw(body)
			}
			url := tt.url
			if url == "" {
				url = "n"
			}
			w := do(t, repo, "PUT", url, bytes.NewReader(body))
			if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.want) {
				t.Errorf("got %d %s, want %d %q", w.Code, w.Body, tt.status, tt.want)
			}
			if w.Code >= 400 && !strings.HasPrefix(w.Body.String(), `{"error":"`) {
				t.Errorf("not npm's shape of an error: %s", w.Body)
			}
			if (len(repo.own) > 0) != (w.Code == 201) {
				t.Errorf("published: %v", len(repo.own) > 0)
			}
			if repo.staged != 0 {
				t.Errorf("%d staged files were not closed", repo.staged)
			}
		})
	}
}

// versionsFirst moves _attachments to the end: json.Marshal writes it first.
func versionsFirst(body []byte) []byte {
	var o object
	var attachments []byte
	for k, v := range members(body) {
		if k == "_attachments" {
			attachments = v
			continue
		}
		o.raw(k, v)
	}
	o.raw("_attachments", attachments)
	return o.bytes()
}

func TestPublishCompressed(t *testing.T) {
	t.Parallel()
	body := publishRequest("n", "1.0.0", "latest", tgz(t, packageJSON("n", "1.0.0"))).body(t)
	for name, tt := range map[string]struct {
		body     []byte
		encoding string
		status   int
	}{
		"gzip":      {gz(t, body), "gzip", 201},
		"truncated": {gz(t, body)[:200], "gzip", 400},
		"not gzip":  {body, "gzip", 400},
		"unknown":   {body, "br", 400},
	} {
		if w := do(t, newFake(), "PUT", "n", bytes.NewReader(tt.body), "Content-Encoding", tt.encoding); w.Code != tt.status {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
}

// endless is a body of a length that nobody has memory for.
type endless struct {
	head string
	fill byte
	read int64
}

func (e *endless) Read(p []byte) (int, error) {
	if e.head != "" {
		n := copy(p, e.head)
		e.head = e.head[n:]
		return n, nil
	}
	for i := range p {
		p[i] = e.fill
	}
	e.read += int64(len(p))
	return len(p), nil
}

// A gigabyte of JSON is refused after a small part of it.
func TestPublishHugeJSON(t *testing.T) {
	t.Parallel()
	for name, head := range map[string]string{
		"readme": `{"readme":"`, "spaces": `{`, "deep": `{"a":`, "version": `{"versions":{"1.0.0":{"a":"`, "key": `{"`, "beside data": `{"_attachments":{"a.tgz":{"x":"`,
	} {
		fill := byte('x')
		switch name {
		case "spaces":
			fill = ' '
		case "deep":
			fill = '['
		}
		body := &endless{head: head, fill: fill}
		w := do(t, newFake(), "PUT", "n", body)
		if w.Code != http.StatusRequestEntityTooLarge || body.read > maxBeside+1<<20 {
			t.Errorf("%s: %d %s after %d bytes", name, w.Code, w.Body, body.read)
		}
	}
}

func TestPublishTooLarge(t *testing.T) {
	t.Parallel()
	r, err := http.NewRequestWithContext(t.Context(), "PUT", "http://x/r/n", &endless{head: "{"})
	if err != nil {
		t.Fatal(err)
	}
	r.ContentLength = maxRequest + 1
	if _, err := requestBody(nil, r, maxRequest); status(err) != 413 || !strings.Contains(err.Error(), "2 GB") {
		t.Errorf("got %v", err)
	}
	// Without a length, and compressed: what counts is what comes out.
	var b bytes.Buffer
	zw := gzip.NewWriter(&b)
	if _, err := io.CopyN(zw, &endless{fill: ' '}, 4<<20); err != nil {
		t.Fatal(err)
	}
	if err := zw.Close(); err != nil {
		t.Fatal(err)
	}
	if w := do(t, newFake(), "PUT", "-/package/n/dist-tags/x", &b, "Content-Encoding", "gzip"); w.Code != 413 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestPublishConflicts(t *testing.T) {
	t.Parallel()
	repo := newFake()
	publish(t, repo, "n", "1.0.0", "latest")
	other := publishRequest("n", "1.0.0", "latest", tgz(t, packageJSON("n", "1.0.0"), entry{name: "package/x"})).body(t)
	if w := do(t, repo, "PUT", "n", bytes.NewReader(other)); w.Code != 409 {
		t.Errorf("other bytes: %d %s", w.Code, w.Body)
	}
	repo.upstream[npmID("n")] = &format.RemotePackage{Tags: map[string]string{"latest": "2.0.0"}, Versions: []*registry.Version{{
		ID: registry.VersionID{Package: npmID("n"), Version: "2.0.0"}, Display: "2.0.0", Status: registry.Published, Document: manifest{[]byte("{}"), []byte("{}"), []byte("{}"), []byte("{}")}.encode(),
	}}}
	w := do(t, repo, "PUT", "n", bytes.NewReader(publishRequest("n", "1.1.0", "latest", tgz(t, packageJSON("n", "1.1.0"))).body(t)))
	if w.Code != 201 || !strings.Contains(w.Header().Get("Npm-Notice"), "(latest)") {
		t.Errorf("shadowed tag: %d %q", w.Code, w.Header().Get("Npm-Notice"))
	}
}

func TestPublishDenied(t *testing.T) {
	t.Parallel()
	repo := newFake()
	repo.denied = true
	body := publishRequest("n", "1.0.0", "latest", tgz(t, packageJSON("n", "1.0.0"))).body(t)
	if w := do(t, repo, "PUT", "n", bytes.NewReader(body)); w.Code != 403 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// FuzzUpload: no body makes a panic, a leaked file or an error of ours.
func FuzzUpload(f *testing.F) {
	tarball := tgz(f, packageJSON("n", "1.0.0"))
	f.Add(publishRequest("n", "1.0.0", "latest", tarball).body(f))
	f.Add([]byte(`{"name":"n","versions":{"1.0.0":{"deprecated":false}},"_rev":"1"}`))
	f.Add([]byte(`{"_attachments":{"x.sigstore":{"data":"{}"},"n.tgz":{"length":3,"data":"AAAA"}}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		repo := newFake()
		u, err := readUpload(t.Context(), repo, npmID("n"), bytes.NewReader(body))
		if err == nil && u.tarball != nil {
			_, err = publication(npmID("n"), u)
		}
		u.close()
		if s := status(err); err != nil && s != 400 && s != 413 {
			t.Fatalf("unexpected error %v", err)
		}
		if repo.staged != 0 {
			t.Fatalf("%d staged files were not closed", repo.staged)
		}
	})
}

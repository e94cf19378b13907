package clienttest_test

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"packhouse.dev/packhouse/registry/format/pypi/pypitest"
	"packhouse.dev/packhouse/registry/internal/clienttest"
)

// pypirc is the file that twine and flit read.
func (u *user) pypirc(p *clienttest.Packhouse, repository string) {
	u.T.Helper()
	u.Write(filepath.Join(u.Home, ".pypirc"), "[distutils]\nindex-servers =\n  codeartifact\n[codeartifact]\nrepository = "+address(p, repository)+
		"\nusername = aws\npassword = "+p.Token+"\n")
}

// dist writes files of a distribution into dist/.
func (u *user) dist(name string, content []byte) string {
	u.T.Helper()
	u.Write(filepath.Join("dist", name), string(content))
	return filepath.Join("dist", name)
}

// post uploads without a client.
func post(t *testing.T, p *clienttest.Packhouse, repository string, fields []pypitest.Field) (int, string) {
	t.Helper()
	contentType, body := pypitest.Form(fields...)
	r, err := http.NewRequest(http.MethodPost, address(p, repository), bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", contentType)
	r.SetBasicAuth("aws", p.Token)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var b bytes.Buffer
	if _, err := b.ReadFrom(resp.Body); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, b.String()
}

func mustPost(t *testing.T, p *clienttest.Packhouse, repository string, fields []pypitest.Field) {
	t.Helper()
	if status, said := post(t, p, repository, fields); status != http.StatusOK {
		t.Fatalf("upload: %d %s", status, said)
	}
}

// TestTwine publishes as the guide says, once more, with other bytes, and another file of the version.
func TestTwine(t *testing.T) {
	t.Parallel()
	twine := clienttest.Program(t, "twine")
	p := start(t, samples(), "")
	u := newUser(t).configure(p, "my-repo")
	u.pypirc(p, "my-repo")
	d := pypitest.Dist{Name: "My.Package", Version: "1.0.0", RequiresPython: ">=3.6", Fields: []string{"Summary: ours"}}
	wheel, source := u.dist(d.WheelName(), d.Wheel()), u.dist(d.SourceName(), d.Source())
	u.OK(twine, "upload", "--non-interactive", "--repository", "codeartifact", wheel, source)
	u.OK(twine, "upload", "--non-interactive", "--repository", "codeartifact", wheel) // as after an answer that got lost

	for _, name := range []string{"my-package", "My_Package==1.0", "my.package===1.0.0"} {
		u.fresh()
		u.install(name)
		if got := u.version("My_Package"); got != "1.0.0" {
			t.Errorf("%s: installed %q", name, got)
		}
	}
	u.fresh()
	u.Env = append(u.Env, "PIP_NO_BUILD_ISOLATION=0") // the setuptools of the machine build it: nothing is fetched for that
	u.OK(u.python, "-m", "pip", "download", "--no-binary", ":all:", "--no-deps", "--no-build-isolation", "-d", "got", "my-package")
	if got, err := os.ReadFile(filepath.Join(u.Work, "got", d.SourceName())); err != nil || !bytes.Equal(got, d.Source()) {
		t.Errorf("source archive: %d bytes, %v", len(got), err)
	}

	d.Code = "__version__ = 'other bytes'\n"
	wheel = u.dist(d.WheelName(), d.Wheel())
	u.Refused([]string{"409 Conflict"}, twine, "upload", "--non-interactive", "--repository", "codeartifact", wheel)
	u.Refused([]string{"409", "File already exists", "publish a new version instead"}, twine, "upload", "--non-interactive", "--verbose", "--repository", "codeartifact", wheel)
	if out := u.OK(twine, "upload", "--non-interactive", "--skip-existing", "--repository", "codeartifact", wheel); !strings.Contains(out, "Skipping") {
		t.Errorf("--skip-existing says\n%s", out)
	}
	u.fresh()
	u.install("my-package")
	if got := u.version("My_Package"); got != "1.0.0" {
		t.Errorf("after the refusal: installed %q", got)
	}
}

// TestUpgrade publishes a newer version and a pre-release.
func TestUpgrade(t *testing.T) {
	t.Parallel()
	eachPip(t, func(t *testing.T, u *user) {
		p := start(t, samples(), "")
		u.configure(p, "my-repo")
		mustPost(t, p, "my-repo", pypitest.Dist{Name: "lib", Version: "1.9"}.WheelForm())
		u.install("lib")
		for _, v := range []string{"1.10", "2.0rc1", "1.9.post1", "1.10+local.1"} {
			mustPost(t, p, "my-repo", pypitest.Dist{Name: "lib", Version: v}.WheelForm())
		}
		for _, step := range []struct {
			args []string
			want string
		}{{[]string{"lib"}, "1.10+local.1"}, {[]string{"--pre", "lib"}, "2.0rc1"}, {[]string{"lib==1.9.*"}, "1.9.post1"}, {[]string{"lib==1.10+local.1"}, "1.10+local.1"}} {
			u.install(step.args...)
			if got := u.version("lib"); got != step.want {
				t.Errorf("%q installed %s, want %s", step.args, got, step.want)
			}
		}
	})
}

// TestFlit builds with flit and publishes with it.
func TestFlit(t *testing.T) {
	t.Parallel()
	flit := clienttest.Program(t, "flit")
	p := start(t, samples(), "")
	u := newUser(t).configure(p, "my-repo")
	u.pypirc(p, "my-repo")
	u.Write("pyproject.toml", "[build-system]\nrequires = [\"flit_core >=3.2,<4\"]\nbuild-backend = \"flit_core.buildapi\"\n\n"+
		"[project]\nname = \"flit-made\"\nauthors = [{name = \"Ana\"}]\nrequires-python = \">=3.6\"\ndynamic = [\"version\", \"description\"]\n")
	u.Write("flit_made.py", "\"\"\"Made by flit\"\"\"\n__version__ = '0.3.1'\n")
	u.OK(flit, "publish", "--repository", "codeartifact", "--no-setup-py")
	u.install("flit-made")
	if got := u.version("flit_made"); got != "0.3.1" {
		t.Errorf("installed %q", got)
	}
	u.Write("flit_made.py", "\"\"\"Made by flit, again\"\"\"\n__version__ = '0.3.1'\n")
	u.Refused([]string{"409"}, flit, "publish", "--repository", "codeartifact", "--no-setup-py")
}

// TestPoetry builds with poetry, publishes, and installs into a project of its own.
func TestPoetry(t *testing.T) {
	t.Parallel()
	poetry := clienttest.Program(t, "poetry")
	up := newIndex(t, pypitest.Dist{Name: "lib", Version: "1.0"})
	p := start(t, samples(), up.simple())
	u := newUser(t).configure(p, "my-repo")
	u.Env = append(u.Env, "POETRY_VIRTUALENVS_IN_PROJECT=true", "POETRY_NO_INTERACTION=1")
	u.OK(poetry, "config", "repositories.packhouse", address(p, "my-repo"))
	u.OK(poetry, "config", "http-basic.packhouse", "aws", p.Token)
	project := "[tool.poetry]\nname = \"poetry-made\"\nversion = \"0.4.0\"\ndescription = \"\"\nauthors = [\"Ana <ana@example.com>\"]\n" +
		"[tool.poetry.dependencies]\npython = \"^3.8\"\nlib = \"^1.0\"\n" +
		"[[tool.poetry.source]]\nname = \"packhouse\"\nurl = \"" + address(p, "my-repo") + "simple/\"\ndefault = true\n" +
		"[build-system]\nrequires = [\"poetry-core\"]\nbuild-backend = \"poetry.core.masonry.api\"\n"
	u.Write("pyproject.toml", project)
	u.Write("poetry_made.py", "__version__ = '0.4.0'\n")
	u.OK(poetry, "publish", "--build", "--repository", "packhouse")
	u.OK(poetry, "publish", "--repository", "packhouse") // the same files again
	u.OK(poetry, "lock")
	lock, err := os.ReadFile(filepath.Join(u.Work, "poetry.lock"))
	if want := "sha256:" + pypitest.SHA256(pypitest.Dist{Name: "lib", Version: "1.0"}.Wheel()); err != nil || !strings.Contains(string(lock), want) {
		t.Errorf("lock file without %s: %v\n%s", want, err, lock)
	}
	u.install("poetry-made")
	if got := u.version("poetry_made") + " " + u.version("lib"); got != "0.4.0 1.0" {
		t.Errorf("installed %q", got)
	}
	u.Write("poetry_made.py", "__version__ = '0.4.0' # changed\n")
	if err := os.RemoveAll(filepath.Join(u.Work, "dist")); err != nil { // or poetry asks whether to build again
		t.Fatal(err)
	}
	u.Refused([]string{"409"}, poetry, "publish", "--build", "--repository", "packhouse")
	if out := u.OK(poetry, "publish", "--skip-existing", "--repository", "packhouse"); !strings.Contains(out, "skipping") && !strings.Contains(out, "Skipping") && !strings.Contains(out, "already exists") {
		t.Errorf("--skip-existing says\n%s", out)
	}
}

// TestRubbish uploads what a client does not mind.
func TestRubbish(t *testing.T) {
	t.Parallel()
	twine := clienttest.Program(t, "twine")
	p := start(t, samples(), "")
	d := pypitest.Dist{Name: "rubbish", Version: "1.0"}
	good := d.Wheel()
	tests := map[string]struct {
		name    string
		content []byte
		want    string // in the answer; twine itself stops some of them before
	}{
		"bytes before":    {d.WheelName(), append([]byte("#!/bin/sh\n"), good...), "bytes that belong to nothing"},
		"bytes behind":    {d.WheelName(), append(bytes.Clone(good), "PK"...), "does not end with its directory"},
		"another project": {"rubbish-1.0-py3-none-any.whl", pypitest.Dist{Name: "evil", Version: "1.0"}.Wheel(), "metadata folder"},
		"another version": {"rubbish-2.0-py3-none-any.whl", good, "metadata folder"},
		"climbs out":      {d.WheelName(), pypitest.Dist{Name: "rubbish", Version: "1.0", Files: map[string]string{"../evil.py": "x"}}.Wheel(), "has an entry named"},
		"two source tops": {d.SourceName(), pypitest.TarGz(pypitest.Entry{Name: "rubbish-1.0/PKG-INFO", Text: d.Metadata()}, pypitest.Entry{Name: "evil/x", Text: "x"}), "more than one folder"},
		"cut off":         {d.SourceName(), d.Source()[:len(d.Source())/2], "is damaged"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u := newUser(t)
			u.pypirc(p, "my-repo")
			fields := d.WheelForm()
			if strings.HasSuffix(tt.name, ".tar.gz") {
				fields = d.SourceForm()
			}
			for i := range fields {
				switch fields[i].Name {
				case "content":
					fields[i].File, fields[i].Value = tt.name, string(tt.content)
				case "sha256_digest":
					fields[i].Value = pypitest.SHA256(tt.content)
				case "md5_digest":
					fields[i].Value = ""
				}
			}
			if status, said := post(t, p, "my-repo", fields); status != http.StatusBadRequest || !strings.Contains(said, tt.want) {
				t.Errorf("got %d %s; want %q", status, said, tt.want)
			}
			if out, err := u.Run(twine, "upload", "--non-interactive", "--repository", "codeartifact", u.dist(tt.name, tt.content)); err == nil {
				t.Errorf("twine succeeds:\n%s", out)
			}
		})
	}
	t.Cleanup(func() {
		if rows := p.Rows(); len(rows) != 0 {
			t.Errorf("something was stored: %+v", rows)
		}
	})
}

// TestParallel uploads many files of one version at once, and one file many times.
func TestParallel(t *testing.T) {
	t.Parallel()
	p := start(t, samples(), "")
	var wg sync.WaitGroup
	for i := range 50 {
		d := pypitest.Dist{Name: "wide", Version: "1.0", Tag: "py3-none-any"}
		if i%2 == 0 {
			d.Tag = "cp3" + string(rune('0'+i/20)) + string(rune('0'+(i/2)%10)) + "-none-any"
		}
		wg.Go(func() {
			if status, said := post(t, p, "my-repo", d.WheelForm()); status != http.StatusOK {
				t.Errorf("%s: %d %s", d.Tag, status, said)
			}
		})
	}
	wg.Wait()
	status, page, err := p.Do(http.MethodGet, address(p, "my-repo")+"simple/wide/", nil)
	if n := strings.Count(string(page), "<a href="); err != nil || status != http.StatusOK || n != 26 {
		t.Errorf("page: %d with %d files, %v", status, n, err)
	}
}

package bench

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"packhouse.dev/packhouse/registry/internal/clienttest"
)

// Publishes: 4 writers with 50 KB each, versions of ten packages per writer.
const (
	writers  = 4
	perTurn  = 500 // prepared for each writer
	duration = 6 * time.Second
)

// upload is a request that is ready to be sent.
type upload struct {
	name string
	body []byte
}

// publishes compares with Verdaccio, which does not wait for the disk.
func publishes(t *testing.T, r *report) {
	uploads := prepare()
	p := clienttest.Start(t, clienttest.Options{})
	ours, err := publish(uploads, func(name string) string { return p.Registry("my-repo") + name }, p.Token)
	if err != nil {
		t.Fatal(err)
	}
	p.Stop()
	bin := filepath.Join(moduleFolder(), ".cache/bench/node_modules/verdaccio/bin/verdaccio")
	if _, err := os.Stat(bin); err != nil {
		r.add("publishes, packhouse", fmt.Sprintf("%.0f/s", ours), "")
		r.note("Verdaccio is not installed (hack/clients.sh bench), so nothing is compared with it.")
		return
	}
	dir := t.TempDir()
	conf := filepath.Join(dir, "config.yaml")
	text := "storage: " + dir + "/storage\nauth: {htpasswd: {file: " + dir + "/htpasswd}}\nmax_body_size: 10mb\n" +
		"packages: {'**': {access: $all, publish: $all}}\nlog: {type: stdout, format: json, level: fatal}\n"
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	addr := clienttest.FreePort(t)
	cmd := exec.Command("node", bin, "--config", conf, "--listen", "http://"+addr)
	cmd.Env = append(os.Environ(), "HOME="+dir)
	serve(t, addr, cmd)
	theirs, err := publish(uploads, func(name string) string { return "http://" + addr + "/" + name }, "")
	if err != nil {
		t.Fatal(err)
	}
	r.add("publishes, packhouse", fmt.Sprintf("%.0f/s", ours), "")
	r.add("publishes, verdaccio", fmt.Sprintf("%.0f/s", theirs), "packhouse/verdaccio "+ratio(ours, theirs))
	r.note("Publishes: %d writers, 50 KB each. Packhouse answers when everything is on the disk; Verdaccio does not wait for that.", writers)
}

// prepare makes what is sent, so that the machine does nothing else while it is sent.
func prepare() [writers][]upload {
	var out [writers][]upload
	for w := range out {
		for i := range perTurn {
			fill := make([]byte, 37<<10) // 50 KB in base64, and as incompressible
			_, _ = rand.Read(fill)
			p := clienttest.Package{Name: fmt.Sprintf("bench-%d-%d", w, i%10), Version: fmt.Sprintf("1.0.%d", i/10),
				Files: map[string]string{"data.txt": base64.StdEncoding.EncodeToString(fill)}}
			out[w] = append(out[w], upload{p.Name, clienttest.Upload(p, p.Tarball())})
		}
	}
	return out
}

// publish sends until everything is sent or the time is over, and returns acknowledged publishes per second.
func publish(uploads [writers][]upload, url func(name string) string, token string) (float64, error) {
	var n atomic.Int64
	errs := make([]error, writers)
	begin := time.Now()
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for _, u := range uploads[w] {
				if time.Since(begin) > duration {
					return
				}
				status, answer, err := clienttest.Do(http.MethodPut, url(u.name), token, u.body)
				if err != nil || status/100 != 2 {
					errs[w] = fmt.Errorf("publish %s: %d %s %w", u.name, status, answer, err)
					return
				}
				n.Add(1)
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return 0, err
		}
	}
	return float64(n.Load()) / time.Since(begin).Seconds(), nil
}

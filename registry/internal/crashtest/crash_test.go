// Package crashtest kills the registry while it is written to and read from, again and again, with collection at zero grace beside it,
// and then looks whether anything that was acknowledged is missing or torn. PACKHOUSE_KILLS says how often; "make crash" says 50.
package crashtest

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"packhouse.dev/packhouse/registry/internal/clienttest"
)

func TestMain(m *testing.M) { os.Exit(clienttest.Main(m)) }

// kills is how often the registry is killed.
func kills(t *testing.T) int {
	text := os.Getenv("PACKHOUSE_KILLS")
	if text == "" {
		return 3
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("PACKHOUSE_KILLS=%q", text)
	}
	return n
}

// ledger is what was acknowledged.
type ledger struct {
	mu        sync.Mutex
	published map[version]string // integrity
	installed map[string]string  // integrity of files of the upstream that were downloaded whole, by path
	attempts  atomic.Int64
}

// version names what was published.
type version struct{ name, version string }

// round is the time between two kills.
const round = 400 * time.Millisecond

func TestCrash(t *testing.T) {
	const ingested = 400
	up := clienttest.NewUpstream(t)
	for i := range ingested {
		up.Add(clienttest.Package{Name: fmt.Sprintf("up-%d", i), Version: "1.0.0"})
	}
	p := clienttest.Start(t, clienttest.Options{Upstream: up})
	l := &ledger{published: map[version]string{}, installed: map[string]string{}}
	n := kills(t)
	for k := range n {
		l.disturb(t, p, k)
		p.Kill()
		p.Restart()
		l.check(t, p, 25)
		if t.Failed() {
			t.Fatalf("after kill %d of %d", k+1, n)
		}
	}
	l.check(t, p, 0)
	l.listed(t, p)
	if len(l.published) == 0 || len(l.installed) == 0 {
		t.Fatalf("nothing was acknowledged: %d published, %d installed", len(l.published), len(l.installed))
	}
	t.Logf("%d kills; of %d attempts %d publishes and %d downloads were acknowledged, and all of them are there", n, l.attempts.Load(), len(l.published), len(l.installed))
}

// disturb publishes, installs and collects for a while. Whatever fails then is not in the ledger.
func (l *ledger) disturb(t *testing.T, p *clienttest.Packhouse, k int) {
	stop := time.Now().Add(round)
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := 0; time.Now().Before(stop); i++ {
				l.publish(p, clienttest.Package{Name: fmt.Sprintf("own-%d", w), Version: fmt.Sprintf("%d.%d.0", k, i)})
			}
		})
	}
	for w := range 2 {
		wg.Go(func() {
			for i := w; time.Now().Before(stop); i += 2 {
				l.install(p, fmt.Sprintf("up-%d", (k*20+i)%400))
			}
		})
	}
	wg.Go(func() {
		for time.Now().Before(stop) {
			_, _ = p.Run("gc", "--grace", "0s", "--data-dir", p.DataDir)
		}
	})
	// The kill comes in the middle of all this.
	time.Sleep(round * 3 / 4)
	p.Kill()
	wg.Wait()
}

func (l *ledger) publish(p *clienttest.Packhouse, pkg clienttest.Package) {
	l.attempts.Add(1)
	fill := make([]byte, 20<<10)
	_, _ = rand.Read(fill)
	withBytes := pkg
	withBytes.Files = map[string]string{"data.txt": base64.StdEncoding.EncodeToString(fill)}
	tarball := withBytes.Tarball()
	status, _, err := p.Do(http.MethodPut, p.Registry("my-repo")+clienttest.Escaped(pkg.Name), clienttest.Upload(withBytes, tarball))
	if err != nil || status != http.StatusOK && status != http.StatusCreated {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.published[version{pkg.Name, pkg.Version}] = clienttest.Integrity(tarball)
}

func (l *ledger) install(p *clienttest.Packhouse, name string) {
	l.attempts.Add(1)
	want := clienttest.Integrity(clienttest.Package{Name: name, Version: "1.0.0"}.Tarball())
	status, body, err := p.Do(http.MethodGet, p.Registry("my-repo")+name+"/-/"+name+"-1.0.0.tgz", nil)
	if err != nil || status != http.StatusOK {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.installed[name] = want
	if got := clienttest.Integrity(body); got != want {
		l.installed[name] = "torn: a whole answer had " + got
	}
}

// check downloads what was acknowledged: all of it, or some.
func (l *ledger) check(t *testing.T, p *clienttest.Packhouse, some int) {
	t.Helper()
	n := 0
	for v, want := range l.published {
		if n++; some > 0 && n > some {
			break
		}
		same(t, p, p.Registry("my-repo")+v.name+"/-/"+v.name+"-"+v.version+".tgz", want)
	}
	n = 0
	for name, want := range l.installed {
		if n++; some > 0 && n > some {
			break
		}
		same(t, p, p.Registry("my-repo")+name+"/-/"+name+"-1.0.0.tgz", want)
	}
}

func same(t *testing.T, p *clienttest.Packhouse, url, want string) {
	t.Helper()
	status, body, err := p.Do(http.MethodGet, url, nil)
	if err != nil || status != http.StatusOK {
		t.Errorf("%s: %d %.200s %v", path.Base(url), status, body, err)
		return
	}
	if got := clienttest.Integrity(body); got != want {
		t.Errorf("%s has %s, want %s", path.Base(url), got, want)
	}
}

// listed looks that every listed version downloads, with the digest that the list says, also those of publishes whose answer was lost.
func (l *ledger) listed(t *testing.T, p *clienttest.Packhouse) {
	t.Helper()
	missing := maps.Clone(l.published)
	for w := range 4 {
		name := fmt.Sprintf("own-%d", w)
		list, err := p.Packument("my-repo", name)
		if err != nil {
			t.Error(err)
			continue
		}
		for key, v := range list.Versions {
			delete(missing, version{name, key})
			same(t, p, v.Dist.Tarball, v.Dist.Integrity)
		}
	}
	for v := range missing {
		t.Errorf("acknowledged and not listed: %s %s", v.name, v.version)
	}
}

// Package bench measures a running registry from outside and prints a table of ratios to its rivals: nginx and a bare net/http server
// with the same bytes, and Verdaccio. "make bench" runs it; without PACKHOUSE_BENCH it skips. Absolute figures are this machine's;
// ratios are what can be compared.
package bench

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"packhouse.dev/packhouse/registry/internal/clienttest"
)

func TestMain(m *testing.M) { os.Exit(clienttest.Main(m)) }

// TestBench is one run: everything one after the other, so that nothing competes but what is compared.
func TestBench(t *testing.T) {
	if os.Getenv("PACKHOUSE_BENCH") == "" {
		t.Skip("measures for minutes: run make bench")
	}
	r := &report{}
	t.Run("start", func(t *testing.T) { start(t, r) })
	t.Run("reads", func(t *testing.T) { reads(t, r) })
	t.Run("publishes", func(t *testing.T) { publishes(t, r) })
	t.Run("manifests", func(t *testing.T) { manifests(t, r) })
	t.Run("large", func(t *testing.T) { large(t, r) })
	fmt.Printf("\n%s\n", r)
}

// report is the table.
type report struct {
	rows  [][3]string // what, figure, compared with
	notes []string
}

func (r *report) add(what, figure, compared string) {
	r.rows = append(r.rows, [3]string{what, figure, compared})
}

func (r *report) note(format string, args ...any) {
	r.notes = append(r.notes, fmt.Sprintf(format, args...))
}

// String writes the table with the machine it was measured on.
func (r *report) String() string {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%d cores, %s, %s\n\n", runtime.NumCPU(), runtime.Version(), time.Now().UTC().Format(time.DateOnly))
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, row := range r.rows {
		fmt.Fprintf(w, "%s\t%s\t%s\n", row[0], row[1], row[2])
	}
	_ = w.Flush() // a buffer
	for _, n := range r.notes {
		fmt.Fprintf(&b, "\n%s", n)
	}
	return b.String()
}

// start measures how soon the registry serves and what it takes when nobody asks for anything.
func start(t *testing.T, r *report) {
	p := clienttest.Start(t, clienttest.Options{})
	for i := range 200 {
		p.Publish(t, "my-repo", clienttest.Package{Name: fmt.Sprintf("p%d", i), Version: "1.0.0"})
	}
	ready := make([]time.Duration, 5)
	for i := range ready {
		p.Stop()
		p.Restart()
		ready[i] = p.Ready
	}
	r.add("ready after a start", milliseconds(median(ready)), "bound 1 s")
	time.Sleep(2 * time.Second)
	r.add("idle", megabytes(rss(t, p.PID)), "bound 80 MB")
}

// manifests measures how soon a change of the manifests is served.
func manifests(t *testing.T, r *report) {
	p := clienttest.Start(t, clienttest.Options{})
	p.Publish(t, "my-repo", clienttest.Package{Name: "thing", Version: "1.0.0"})
	var took []time.Duration
	for i := range 5 {
		name := fmt.Sprintf("new-%d", i)
		took = append(took, p.Changes(t, clienttest.Samples()+`
---
apiVersion: packhouse.dev/v1alpha1
kind: Repository
metadata: {name: `+name+`}
spec: {domainRef: {name: my-domain}, upstreams: [{name: my-repo}]}
`, func() bool { _, err := p.Packument(name, "thing"); return err == nil }))
	}
	r.add("a changed manifest is served after", milliseconds(median(took)), "bound 1 s")
}

// rss is what a process holds in memory, in bytes; 0 where the system does not say.
func rss(t *testing.T, pid int) int64 {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return kb << 10
		}
	}
	return 0
}

func milliseconds(d time.Duration) string {
	return fmt.Sprintf("%d ms", d.Round(time.Millisecond).Milliseconds())
}

func megabytes(n int64) string {
	if n == 0 {
		return "unknown"
	}
	return fmt.Sprintf("%d MB", n/1e6)
}

// ratio compares, larger is better.
func ratio(ours, theirs float64) string { return fmt.Sprintf("%.2f", ours/theirs) }

// median of values, which it sorts.
func median[T int | int64 | float64 | time.Duration](values []T) T {
	sorted := append([]T(nil), values...)
	for i := range sorted {
		for j := i; j > 0 && sorted[j] < sorted[j-1]; j-- {
			sorted[j], sorted[j-1] = sorted[j-1], sorted[j]
		}
	}
	return sorted[len(sorted)/2]
}

// repository is the folder of the module.
func moduleFolder() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "../../..")
}

// serve starts a rival and waits until it listens on addr. It is stopped when the test ends.
func serve(t *testing.T, addr string, cmd *exec.Cmd) {
	t.Helper()
	var said clienttest.SafeBuffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan struct{})
	go func() { _ = cmd.Wait(); close(exited) }()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		select {
		case <-exited:
		case <-time.After(5 * time.Second):
			_ = cmd.Process.Kill()
			<-exited
		}
	})
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if conn, err := net.Dial("tcp", addr); err == nil {
			_ = conn.Close()
			return
		}
		select {
		case <-exited:
			t.Fatalf("%s ended:\n%s", cmd.Path, said.String())
		default:
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s does not listen:\n%s", cmd.Path, said.String())
		}
	}
}

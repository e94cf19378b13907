package bench

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"packhouse.dev/packhouse/registry/internal/clienttest"
)

// Reads: 8 connections ask for one 10 KB packument. Rivals take turns, so that a machine that becomes slower does so for all.
const (
	connections = 8
	turns       = 3
	turn        = 4 * time.Second
)

const abbreviated = "application/vnd.npm.install-v1+json"

// rival is a server with the same bytes.
type rival struct {
	name   string
	url    string
	header string // of requests
	rates  []float64
}

// reads compares a warm packument, with token, policy and origin control, with nginx and with net/http.
func reads(t *testing.T, r *report) {
	p := clienttest.Start(t, clienttest.Options{Manifests: clienttest.Samples() + clienttest.Origin("thing", "Allow", "Block")})
	for i := range 18 {
		status, answer := p.Publish(t, "my-repo", clienttest.Package{Name: "thing", Version: fmt.Sprintf("1.0.%d", i), Dependencies: map[string]string{
			"first-dependency": "^1.0.0", "second-dependency": "^2.0.0", "third-dependency": "~3.1.0"}})
		if status != http.StatusCreated {
			t.Fatalf("publish: %d %s", status, answer)
		}
	}
	body := packument(t, p)
	r.note("A packument of %d bytes, %d connections, %d turns of %v each, median.", len(body), connections, turns, turn)

	dir := t.TempDir()
	file := filepath.Join(dir, "thing")
	if err := os.WriteFile(file, body, 0o600); err != nil {
		t.Fatal(err)
	}
	ours := &rival{name: "packhouse", url: p.Registry("my-repo") + "thing", header: "Authorization: Bearer " + p.Token}
	rivals := []*rival{ours, bare(t, file)}
	if nginx := nginx(t, r, dir); nginx != nil {
		rivals = append(rivals, nginx)
	}
	load := generator(r)
	for range turns {
		for _, v := range rivals {
			rate, err := load(t.Context(), v)
			if err != nil {
				t.Fatalf("%s: %v", v.name, err)
			}
			v.rates = append(v.rates, rate)
		}
	}
	r.add("warm packument, packhouse", fmt.Sprintf("%.0f/s", median(ours.rates)), "")
	for _, v := range rivals[1:] {
		r.add("warm packument, "+v.name, fmt.Sprintf("%.0f/s", median(v.rates)), "packhouse/"+v.name+" "+ratio(median(ours.rates), median(v.rates)))
	}
	r.add("memory after these reads", megabytes(rss(t, p.PID)), "")
}

func packument(t *testing.T, p *clienttest.Packhouse) []byte {
	t.Helper()
	q, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.Registry("my-repo")+"thing", nil)
	if err != nil {
		t.Fatal(err)
	}
	q.Header.Set("Authorization", "Bearer "+p.Token)
	q.Header.Set("Accept", abbreviated)
	resp, err := http.DefaultClient.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("packument: %s %v", resp.Status, err)
	}
	return body
}

// bare builds and starts hack/bench/bare.
func bare(t *testing.T, file string) *rival {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "bare")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", bin, "packhouse.dev/packhouse/hack/bench/bare").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	addr := clienttest.FreePort(t)
	serve(t, addr, exec.Command(bin, "-listen", addr, "-file", file))
	return &rival{name: "net/http", url: "http://" + addr + "/thing"}
}

// nginx starts nginx over the folder of the file, nil if it is not installed.
func nginx(t *testing.T, r *report, dir string) *rival {
	t.Helper()
	bin, err := exec.LookPath("nginx")
	if err != nil {
		if bin = "/usr/sbin/nginx"; exec.Command(bin, "-v").Run() != nil {
			r.note("nginx is not installed, so nothing is compared with it.")
			return nil
		}
	}
	addr := clienttest.FreePort(t)
	user := ""
	if os.Getuid() == 0 {
		user = "user root;\n" // its workers could not read the folder of a test
	}
	conf := filepath.Join(dir, "nginx.conf")
	text := user + `daemon off; worker_processes auto; pid ` + dir + `/nginx.pid; error_log stderr error;
events { worker_connections 256; }
http {
  access_log off; sendfile on; tcp_nopush on; keepalive_requests 100000000; open_file_cache max=10; default_type ` + abbreviated + `;
  client_body_temp_path ` + dir + `/b; proxy_temp_path ` + dir + `/p; fastcgi_temp_path ` + dir + `/f; uwsgi_temp_path ` + dir + `/u; scgi_temp_path ` + dir + `/s;
  server { listen ` + addr + `; root ` + dir + `; }
}
`
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	serve(t, addr, exec.Command(bin, "-p", dir, "-c", conf))
	return &rival{name: "nginx", url: "http://" + addr + "/thing"}
}

// generator is wrk, or a loop of our own that is a worse one: it takes more of the machine from the servers.
func generator(r *report) func(context.Context, *rival) (float64, error) {
	bin, err := exec.LookPath("wrk")
	if err != nil {
		r.note("wrk is not installed; the load comes from a generator of the bench's own, which makes ratios look better than they are.")
		return loop
	}
	return func(ctx context.Context, v *rival) (float64, error) {
		args := []string{"-t", "1", "-c", strconv.Itoa(connections), "-d", strconv.Itoa(int(turn.Seconds())), "-H", "Accept: " + abbreviated}
		if v.header != "" {
			args = append(args, "-H", v.header)
		}
		out, err := exec.CommandContext(ctx, bin, append(args, v.url)...).CombinedOutput()
		if err != nil || strings.Contains(string(out), "Non-2xx") {
			return 0, fmt.Errorf("wrk: %w\n%s", err, out)
		}
		_, rest, _ := strings.Cut(string(out), "Requests/sec:")
		rate, _, _ := strings.Cut(strings.TrimSpace(rest), "\n")
		return strconv.ParseFloat(strings.TrimSpace(rate), 64)
	}
}

// loop asks over plain connections and returns answers per second.
func loop(ctx context.Context, v *rival) (float64, error) {
	u, err := url.Parse(v.url)
	if err != nil {
		return 0, err
	}
	request := "GET " + u.EscapedPath() + " HTTP/1.1\r\nHost: " + u.Host + "\r\nAccept: " + abbreviated + "\r\n"
	if v.header != "" {
		request += v.header + "\r\n"
	}
	ctx, cancel := context.WithTimeout(ctx, turn)
	defer cancel()
	var n atomic.Int64
	errs := make([]error, connections)
	var wg sync.WaitGroup
	for i := range connections {
		wg.Go(func() { errs[i] = ask(ctx, u.Host, []byte(request+"\r\n"), &n) })
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return 0, err
		}
	}
	return float64(n.Load()) / turn.Seconds(), nil
}

func ask(ctx context.Context, host string, request []byte, n *atomic.Int64) error {
	conn, err := net.Dial("tcp", host)
	if err != nil {
		return err
	}
	defer conn.Close()
	in := bufio.NewReaderSize(conn, 64<<10)
	for ctx.Err() == nil {
		if _, err := conn.Write(request); err != nil {
			return err
		}
		resp, err := http.ReadResponse(in, nil)
		if err != nil {
			return err
		}
		if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != http.StatusOK {
			return fmt.Errorf("%s: %w", resp.Status, err)
		}
		n.Add(1)
	}
	return nil
}

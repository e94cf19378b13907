package bench

import (
	"archive/tar"
	"bufio"
	"compress/gzip"
	"crypto/sha512"
	"encoding/base64"
	"fmt"
	"hash"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"packhouse.dev/packhouse/registry/internal/clienttest"
)

// requestLimit is what an npm publish may have, in bytes; fill makes a request that stays just under it.
const (
	requestLimit = 2_000_000_000
	fill         = requestLimit/4*3 - 1_000_000
)

// large publishes a package whose request has just under 2 GB and downloads it, watching the memory of the registry. npm itself could
// not: it wants the request as one string.
func large(t *testing.T, r *report) {
	p := clienttest.Start(t, clienttest.Options{})
	p.Publish(t, "my-repo", clienttest.Package{Name: "small", Version: "1.0.0"})
	idle := rss(t, p.PID)
	highest := watch(t, p.PID)

	sent := new(counter)
	body, integrity := enormous()
	begin := time.Now()
	status, answer, err := send(p, io.TeeReader(body, sent), -1)
	if err != nil || status != http.StatusCreated {
		t.Fatalf("publish: %d %s %v", status, answer, err)
	}
	up := time.Since(begin)
	r.add(fmt.Sprintf("publish of %.3f GB", float64(*sent)/1e9), fmt.Sprintf("%.0f MB/s", float64(*sent)/1e6/up.Seconds()),
		"memory "+megabytes(idle)+" → "+megabytes(highest()))

	begin = time.Now()
	got, n, err := download(p)
	if err != nil || got != <-integrity {
		t.Fatalf("download of %d bytes: %s, %v", n, got, err)
	}
	r.add(fmt.Sprintf("download of %.3f GB", float64(n)/1e9), fmt.Sprintf("%.0f MB/s", float64(n)/1e6/time.Since(begin).Seconds()),
		"memory "+megabytes(idle)+" → "+megabytes(highest()))

	status, answer, err = send(p, strings.NewReader("{"), requestLimit+1)
	if status != http.StatusRequestEntityTooLarge || !strings.Contains(answer, "at most") {
		t.Errorf("one byte more than 2 GB: %d %s, %v", status, answer, err)
	}
	r.add("one byte more than 2 GB", fmt.Sprint(status), strings.TrimSpace(answer))
}

// enormous is a publish of "enormous" 1.0.0, made while it is read. The tarball comes first and its digest after it.
func enormous() (body io.Reader, integrity <-chan string) {
	r, w := io.Pipe()
	done := make(chan string, 1)
	go func() {
		out := bufio.NewWriterSize(w, 1<<20)
		digest, err := writeEnormous(out)
		if err == nil {
			err = out.Flush()
		}
		done <- digest
		w.CloseWithError(err)
	}()
	return r, done
}

func writeEnormous(out io.Writer) (integrity string, err error) {
	p := clienttest.Package{Name: "enormous", Version: "1.0.0"}
	if _, err := io.WriteString(out, `{"_id":"enormous","name":"enormous","_attachments":{"enormous-1.0.0.tgz":{"content_type":"application/octet-stream","data":"`); err != nil {
		return "", err
	}
	sum := sha512.New()
	encoder := base64.NewEncoder(base64.StdEncoding, out)
	if err := writeTarball(io.MultiWriter(encoder, sum), p); err != nil {
		return "", err
	}
	if err := encoder.Close(); err != nil {
		return "", err
	}
	integrity = digest(sum)
	_, err = fmt.Fprintf(out, `"}},"dist-tags":{"latest":"1.0.0"},"versions":{"1.0.0":{"name":"enormous","version":"1.0.0","dist":{"integrity":%q}}}}`, integrity)
	return integrity, err
}

// writeTarball writes stored, not compressed, random bytes: what counts is the registry, not this program.
func writeTarball(w io.Writer, p clienttest.Package) error {
	gz, err := gzip.NewWriterLevel(w, gzip.NoCompression)
	if err != nil {
		return err
	}
	tw := tar.NewWriter(gz)
	manifest := []byte(p.Contents()["package.json"])
	if err := tw.WriteHeader(&tar.Header{Name: "package/package.json", Mode: 0o644, Size: int64(len(manifest)), Typeflag: tar.TypeReg}); err != nil {
		return err
	}
	if _, err := tw.Write(manifest); err != nil {
		return err
	}
	if err := tw.WriteHeader(&tar.Header{Name: "package/data", Mode: 0o644, Size: fill, Typeflag: tar.TypeReg}); err != nil {
		return err
	}
	if _, err := io.CopyN(tw, rand.NewChaCha8([32]byte{}), fill); err != nil {
		return err
	}
	if err := tw.Close(); err != nil {
		return err
	}
	return gz.Close()
}

func digest(h hash.Hash) string { return "sha512-" + base64.StdEncoding.EncodeToString(h.Sum(nil)) }

func send(p *clienttest.Packhouse, body io.Reader, length int64) (int, string, error) {
	q, err := http.NewRequest(http.MethodPut, p.Registry("my-repo")+"enormous", body)
	if err != nil {
		return 0, "", err
	}
	q.ContentLength = length
	q.Header.Set("Authorization", "Bearer "+p.Token)
	q.Header.Set("Content-Type", "application/json")
	q.Header.Set("Expect", "100-continue") // an answer that is known from the header is heard before the body is sent
	resp, err := (&http.Client{Transport: &http.Transport{ExpectContinueTimeout: 10 * time.Second}}).Do(q)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(answer), err
}

func download(p *clienttest.Packhouse) (integrity string, n int64, err error) {
	q, err := http.NewRequest(http.MethodGet, p.Registry("my-repo")+"enormous/-/enormous-1.0.0.tgz", nil)
	if err != nil {
		return "", 0, err
	}
	q.Header.Set("Authorization", "Bearer "+p.Token)
	resp, err := http.DefaultClient.Do(q)
	if err != nil {
		return "", 0, err
	}
	defer resp.Body.Close()
	sum := sha512.New()
	n, err = io.Copy(sum, resp.Body)
	return digest(sum), n, err
}

// counter counts what is written to it.
type counter int64

func (c *counter) Write(p []byte) (int, error) { *c += counter(len(p)); return len(p), nil }

// watch samples the memory of a process; the function returns the highest since it was called last.
func watch(t *testing.T, pid int) func() int64 {
	type question struct{ answer chan int64 }
	ask := make(chan question)
	go func() {
		var highest int64
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-t.Context().Done():
				return
			case <-tick.C:
				highest = max(highest, rss(t, pid))
			case q := <-ask:
				q.answer <- highest
				highest = 0
			}
		}
	}()
	return func() int64 {
		q := question{make(chan int64)}
		ask <- q
		return <-q.answer
	}
}

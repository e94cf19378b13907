package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/admin"
	"packhouse.dev/packhouse/registry/config"
	"packhouse.dev/packhouse/registry/intent"
)

type answer struct {
	status     int
	kind, body string
}

// createRepository calls the service API.
func createRepository(t *testing.T, run *running, token, name string) <-chan answer {
	t.Helper()
	out := make(chan answer, 1)
	go func() {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+run.Listen+"/v1/repository?domain=web&domain-owner=111122223333&repository="+name, strings.NewReader(`{"description":"d"}`))
		if err != nil {
			out <- answer{body: err.Error()}
			return
		}
		r.Header.Set("Authorization", "Bearer "+token)
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			out <- answer{body: err.Error()}
			return
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		out <- answer{resp.StatusCode, resp.Header.Get("X-Amzn-Errortype"), string(b) + fmt.Sprint(err)}
	}()
	return out
}

// TestIntents: a change through the service API waits for the operator, and is answered when it is served.
func TestIntents(t *testing.T) {
	t.Parallel()
	run, c := startForOperator(t, "--data-dir", t.TempDir())
	declared := configuration(1, config.Repository{Name: "first"})
	mustApply(t, c, declared)
	tok := token(t, c)
	take := func() admin.Intent {
		t.Helper()
		got, err := c.Take(t.Context(), admin.TakeRequest{Wait: config.Duration(10 * time.Second)})
		if err != nil || len(got.Intents) != 1 {
			t.Fatalf("taken %+v, %v", got, err)
		}
		return got.Intents[0]
	}
	is := func(what string, got answer, status int, kind, says string) {
		t.Helper()
		if got.status != status || got.kind != kind || !strings.Contains(got.body, says) {
			t.Errorf("%s: %+v, want %d %s %q", what, got, status, kind, says)
		}
	}

	got := createRepository(t, run, tok, "second")
	i := take()
	body, err := config.Encode(&declared.Domains[0])
	if err != nil {
		t.Fatal(err)
	}
	// The operator knows from what it compiled whether the change was made from that.
	if sum := sha256.Sum256(body); i.Intent.Base != hex.EncodeToString(sum[:]) {
		t.Errorf("made from %s, which is not what was declared", i.Intent.Base)
	}
	if w := i.Intent; !w.Create || w.Spec.Repository == nil || w.Spec.Repository.Name != "second" || w.Account != "111122223333" || !strings.HasSuffix(w.Principal, ":root") {
		t.Errorf("taken %+v", w)
	}
	select {
	case a := <-got:
		t.Errorf("answered before it is made: %+v", a)
	case <-time.After(50 * time.Millisecond):
	}
	mustApply(t, c, configuration(2, config.Repository{Name: "first"}, config.Repository{Name: "second", Description: "d"}))
	if err := c.Answer(t.Context(), admin.Answer{ID: i.ID}); err != nil {
		t.Fatal(err)
	}
	is("made", <-got, 200, "", `"arn:aws:codeartifact:local:111122223333:repository/web/second"`)
	if err := c.Answer(t.Context(), admin.Answer{ID: i.ID}); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("an answer to what is over: %v", err)
	}

	got = createRepository(t, run, tok, "third")
	if err := c.Answer(t.Context(), admin.Answer{ID: take().ID, Result: intent.Result{Code: intent.Conflict, Text: "Repository packages/third is managed by Argo CD"}}); err != nil {
		t.Fatal(err)
	}
	is("somebody else's", <-got, 409, "ConflictException", "managed by Argo CD")

	got = createRepository(t, run, tok, "third")
	if err := c.Answer(t.Context(), admin.Answer{ID: take().ID, Result: intent.Result{Code: intent.Stale, Text: "domain"}}); err != nil {
		t.Fatal(err)
	}
	if err := c.Answer(t.Context(), admin.Answer{ID: take().ID, Result: intent.Result{Code: intent.Unavailable, Text: "The cluster does not take changes now; try again."}}); err != nil {
		t.Fatal(err)
	}
	is("stale, and then nobody can", <-got, 503, "ServiceUnavailableException", "does not take changes now")
}

// TestIntentsWithoutOperator: without an operator only changes of what is declared are refused, soon, and are not made later.
func TestIntentsWithoutOperator(t *testing.T) {
	t.Parallel()
	run, c := startForOperator(t, "--data-dir", t.TempDir())
	mustApply(t, c, configuration(1, config.Repository{Name: "first"}))
	tok := token(t, c)
	a := <-createRepository(t, run, tok, "second")
	if a.status != 503 || a.kind != "ServiceUnavailableException" || !strings.Contains(a.body, "No operator is there") {
		t.Errorf("%+v", a)
	}
	if got := get(t, "http://"+run.Listen+"/v1/repository?domain=web&domain-owner=111122223333&repository=first", tok); got != 200 {
		t.Errorf("reading: %d", got)
	}
	if got, err := c.Take(t.Context(), admin.TakeRequest{}); err != nil || len(got.Intents) > 0 {
		t.Errorf("left for an operator: %+v, %v", got, err)
	}
}

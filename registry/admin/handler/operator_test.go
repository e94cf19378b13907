package handler

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/admin"
	"packhouse.dev/packhouse/registry/config"
	"packhouse.dev/packhouse/registry/metadata"
)

// TestConfiguration: what is in force comes back, with the highest numbers by epoch and then generation.
func TestConfiguration(t *testing.T) {
	t.Parallel()
	f, c, _ := serve(t, t.TempDir())
	got, err := c.Configuration(t.Context())
	want := &admin.Configuration{
		Epoch: 2, Generation: 7, Registry: &config.Registry{Schema: config.Schema, Partition: "aws-cn"},
		Domains: []config.Domain{{Schema: config.Schema, Name: "1"}, {Schema: config.Schema, Name: "2"}},
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	f.empty = true
	if got, err := c.Configuration(t.Context()); err != nil || got.Registry != nil || got.Generation != 0 {
		t.Errorf("nothing was declared: %+v, %v", got, err)
	}
	f.empty, f.fail = false, fmt.Errorf("%w: database", registry.ErrUnavailable)
	if _, err := c.Configuration(t.Context()); !errors.Is(err, registry.ErrUnavailable) {
		t.Errorf("without a database: %v", err)
	}
}

// TestGroups: a domain that is gone between two looks is no error; a database that is gone is one.
func TestGroups(t *testing.T) {
	t.Parallel()
	f, c, _ := serve(t, t.TempDir())
	if got, err := c.Groups(t.Context()); err != nil || len(got.Domains) != 0 {
		t.Errorf("%+v, %v", got, err)
	}
	f.fail = fmt.Errorf("%w: database", registry.ErrUnavailable)
	if _, err := c.Groups(t.Context()); !errors.Is(err, registry.ErrUnavailable) {
		t.Errorf("without a database: %v", err)
	}
}

func TestRemove(t *testing.T) {
	t.Parallel()
	f, c, _ := serve(t, t.TempDir())
	good := admin.Removal{Domain: "web", Owner: "111122223333", Repository: "r", Holder: "ns"}
	if err := c.Remove(t.Context(), good); err != nil {
		t.Fatal(err)
	}
	want := []metadata.Removal{{Domain: registry.DomainRef{Owner: "111122223333", Name: "web"}, Repository: "r", Holder: "ns"}}
	if diff := cmp.Diff(want, f.removed); diff != "" {
		t.Error(diff)
	}
	for name, edit := range map[string]func(*admin.Removal){
		"no domain": func(r *admin.Removal) { r.Domain = "" }, "no owner": func(r *admin.Removal) { r.Owner = "" },
		"an owner that is none": func(r *admin.Removal) { r.Owner = "web" }, "no holder": func(r *admin.Removal) { r.Holder = "" },
	} {
		r := good
		edit(&r)
		if err := c.Remove(t.Context(), r); !errors.Is(err, registry.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	f.fail = fmt.Errorf("%w: it is declared", registry.ErrConflict)
	if err := c.Remove(t.Context(), good); !errors.Is(err, registry.ErrConflict) || !strings.Contains(err.Error(), "declared") {
		t.Errorf("a conflict came over as %v", err)
	}
}

const canary = "c4nary-s3cret"

func TestSecrets(t *testing.T) {
	t.Parallel()
	f, c, _ := serve(t, t.TempDir())
	good := []admin.Secret{
		{Name: "team/a", Host: "npm.example.com", Username: "ci", Password: canary}, {Name: "team/b", Host: "[2001:db8::1]:8443", Token: canary},
		{Name: "team/c", Host: "127.0.0.1:4873", Username: "ci"},
	}
	if err := c.PutSecrets(t.Context(), admin.Secrets{Secrets: good}); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"team/a": `{"host":"npm.example.com","username":"ci","password":"` + canary + `"}`,
		"team/b": `{"host":"[2001:db8::1]:8443","token":"` + canary + `"}`,
		"team/c": `{"host":"127.0.0.1:4873","username":"ci"}`,
	}
	got := map[string]string{}
	for name, b := range f.secrets {
		got[name] = string(b)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for name, edit := range map[string]func(*admin.Secret){
		"no name": func(s *admin.Secret) { s.Name = "" }, "a name with a zero byte": func(s *admin.Secret) { s.Name = "a\x00" },
		"no host": func(s *admin.Secret) { s.Host = "" }, "an address": func(s *admin.Secret) { s.Host = "https://npm.example.com" },
		"a path": func(s *admin.Secret) { s.Host = "npm.example.com/x" }, "a user": func(s *admin.Secret) { s.Host = canary + "@npm.example.com" },
		"a port only": func(s *admin.Secret) { s.Host = ":443" }, "a port that is none": func(s *admin.Secret) { s.Host = "h:x" },
		"nothing":               func(s *admin.Secret) { s.Username, s.Password = "", "" },
		"a password only":       func(s *admin.Secret) { s.Username = "" },
		"a token and a user":    func(s *admin.Secret) { s.Token = canary },
		"a token, a password":   func(s *admin.Secret) { s.Username, s.Token = "", canary },
		"a line end":            func(s *admin.Secret) { s.Password += "\n" },
		"a colon in the user":   func(s *admin.Secret) { s.Username = "c:i" },
		"a password that fills": func(s *admin.Secret) { s.Password = strings.Repeat(canary, 1000) },
		"the name of another":   func(s *admin.Secret) { s.Name = "team/b" },
	} {
		bad := good[0]
		edit(&bad)
		err := c.PutSecrets(t.Context(), admin.Secrets{Secrets: []admin.Secret{good[1], bad}})
		if !errors.Is(err, registry.ErrInvalid) || strings.Contains(err.Error(), canary) {
			t.Errorf("%s: %v", name, err)
		}
	}
	key := admin.AccessKeySecret{ID: "AKIAIOSFODNN7EXAMPLE", Secret: strings.Repeat(canary, 4)}
	for name, keys := range map[string][]admin.AccessKeySecret{
		"an id that is none": {{ID: "team/b", Secret: key.Secret}}, "a short secret": {{ID: key.ID, Secret: canary}},
		"a secret with a line end": {{ID: key.ID, Secret: key.Secret + "\n"}}, "one id, two secrets": {key, {ID: key.ID, Secret: key.Secret + "x"}},
	} {
		if err := c.PutSecrets(t.Context(), admin.Secrets{AccessKeys: keys}); !errors.Is(err, registry.ErrInvalid) || strings.Contains(err.Error(), canary) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(f.secrets) != 3 {
		t.Errorf("a refused request changed something: %v", f.secrets)
	}
	if err := c.PutSecrets(t.Context(), admin.Secrets{Secrets: good[:1], AccessKeys: []admin.AccessKeySecret{key}}); err != nil || len(f.secrets) != 2 || string(f.secrets["access key "+key.ID]) != key.Secret {
		t.Errorf("with an access key: %v, %v", f.secrets, err)
	}
	if err := c.PutSecrets(t.Context(), admin.Secrets{}); err != nil || len(f.secrets) != 0 {
		t.Errorf("none: %v, %v", f.secrets, err)
	}
	if strings.Contains(f.log.String(), canary) {
		t.Error("the log has a secret")
	}
}

// What cannot be read is not repeated: neither to the caller nor to the log.
func TestSecretsThatCannotBeRead(t *testing.T) {
	t.Parallel()
	f := &fake{}
	var log bytes.Buffer
	h := New(Options{Catalog: f, Service: f, Secrets: f, Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	for _, body := range []string{
		`{"secrets":[{"name":"a","password":31337}]}`, `{"secrets":[{"name":"a","c31337":1}]}`, `{"secrets":[{"name":"a","password":"31337`, `31337`,
	} {
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, httptest.NewRequest("PUT", admin.PathSecrets, strings.NewReader(body)))
		if rec.Code != 400 || strings.Contains(rec.Body.String(), "31337") {
			t.Errorf("%s: %d %s", body, rec.Code, rec.Body)
		}
	}
	if strings.Contains(log.String(), "31337") {
		t.Errorf("log: %s", log.String())
	}
}

package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/audit"
	"packhouse.dev/packhouse/registry/auth"
	"packhouse.dev/packhouse/registry/blob/fs"
	"packhouse.dev/packhouse/registry/config"
	"packhouse.dev/packhouse/registry/content"
	"packhouse.dev/packhouse/registry/external"
	"packhouse.dev/packhouse/registry/format/all"
	"packhouse.dev/packhouse/registry/metadata/sql"
	"packhouse.dev/packhouse/registry/policy"
	"packhouse.dev/packhouse/registry/repository"
	"packhouse.dev/packhouse/registry/server"
)

// walk is a whole registry with users of every permission and every lack of one.
type walk struct {
	*server.Server
	t      *testing.T
	issuer *auth.Issuer
	record *records
	uid    string
}

// records is an audit log.
type records struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *records) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

// last is the last record since it was asked for.
func (b *records) last(t *testing.T) *audit.Entry {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	lines := strings.Split(strings.TrimSpace(b.b.String()), "\n")
	b.b.Reset()
	if lines[len(lines)-1] == "" {
		return nil
	}
	var e audit.Entry
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &e); err != nil {
		t.Fatal(err)
	}
	return &e
}

const walkAccount = "111122223333"

func newWalk(t *testing.T) *walk {
	t.Helper()
	dir := t.TempDir()
	store, err := sql.OpenSQLite(t.Context(), filepath.Join(dir, "packhouse.db"), sql.Options{})
	check(t, err)
	blobs, err := fs.New(filepath.Join(dir, "blobs"))
	check(t, err)
	check(t, os.Mkdir(filepath.Join(dir, "spool"), 0o700))
	keep := content.New(store, blobs, slog.New(slog.DiscardHandler))
	outside, err := external.New(external.Options{Store: store, Keeper: repository.Bodies(keep), SpoolDir: filepath.Join(dir, "spool")})
	check(t, err)
	door, err := repository.New(t.Context(), repository.Options{Store: store, Keeper: keep, External: outside, Formats: all.Formats(), SpoolDir: filepath.Join(dir, "spool")})
	check(t, err)
	t.Cleanup(func() {
		door.Close()
		check(t, errors.Join(outside.Close(), store.Close()))
	})
	keys, err := auth.NewKeys(bytes.Repeat([]byte("k"), auth.MinSealingKey))
	check(t, err)
	w := &walk{t: t, record: &records{}, issuer: auth.NewIssuer(keys, nil)}
	w.Server, err = server.New(server.Options{
		Service: server.Door(door), Auth: auth.New(auth.Options{Keys: keys, Revocations: none{}}), Formats: all.Formats(),
		Audit: audit.New(w.record, 1, slog.New(slog.DiscardHandler)),
	})
	check(t, err)
	reg := &config.Registry{Schema: config.Schema, Partition: "aws", Region: "local"}
	allow := func(user, statements string) {
		reg.Identities = append(reg.Identities, config.IdentityPolicy{
			Source: config.Source{Kind: "IdentityPolicy", Namespace: "default", Name: user}, Account: walkAccount, Subjects: []config.Subject{{Kind: "user", Name: user}},
			Document: `{"Version":"2012-10-17","Statement":[` + statements + `]}`,
		})
	}
	users := map[string]string{}
	for _, list := range routes() {
		for _, r := range list {
			for action := range strings.SplitSeq(r.action, "+") {
				users["without-"+action] = `{"Effect":"Allow","Action":"*","Resource":"*"},{"Effect":"Deny","Action":"codeartifact:` + action + `","Resource":"*"}`
			}
			users["with-"+r.action] = `{"Effect":"Allow","Action":["codeartifact:ReadFromRepository","codeartifact:` + strings.ReplaceAll(r.action, "+", `","codeartifact:`) + `"],"Resource":"*"}`
		}
	}
	delete(users, "without-"+refused)
	delete(users, "with-"+refused)
	for user, statements := range users {
		allow(user, statements)
	}
	ref := registry.DomainRef{Owner: walkAccount, Name: "my-domain"}
	_, err = door.Apply(t.Context(), repository.Documents{Registry: reg, Domains: []config.Domain{{
		Schema: config.Schema, Owner: ref.Owner, Name: ref.Name, Holder: "ns",
		Repositories: []config.Repository{{Name: "my-repo", Administrator: ref.Owner, AdministratorUID: "ns"}},
	}}})
	check(t, err)
	d, err := door.Enter(t.Context(), ref)
	check(t, err)
	w.uid = d.UID()
	return w
}

// none is auth.Revocations.
type none struct{}

func (none) Revocations(context.Context, string) ([]auth.Revocation, error) { return nil, nil }

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// as asks as a user; "": as root.
func (w *walk) as(user string, r walked, path string) (*httptest.ResponseRecorder, *audit.Entry) {
	w.t.Helper()
	who := policy.Principal{ARN: "arn:aws:iam::" + walkAccount + ":root", Account: walkAccount, Root: true}
	if user != "" {
		who = policy.Principal{ARN: "arn:aws:iam::" + walkAccount + ":user/" + user, Account: walkAccount}
	}
	tok, err := w.issuer.Issue(auth.Grant{Principal: who, Domain: w.uid})
	if err != nil {
		w.t.Fatal(err)
	}
	w.record.last(w.t)
	req := httptest.NewRequest(r.method, path, bytes.NewReader(r.body))
	req.Host, req.RemoteAddr = "localhost", "192.0.2.7:1"
	req.Header.Set("Authorization", "Bearer "+tok.Value)
	if r.kind != "" {
		req.Header.Set("Content-Type", r.kind)
	}
	rec := httptest.NewRecorder()
	w.ServeHTTP(rec, req)
	return rec, w.record.last(w.t)
}

func (r walked) at(form registry.Format) string {
	return "/my-domain-" + walkAccount + "/" + string(form) + "/my-repo/" + r.path
}

// arn is what the route asks for an action on: reading is asked of the repository, whatever is read.
func (r walked) arn(action string) string {
	resource := r.resource
	if resource == "" || action == read {
		resource = "repository/my-domain/my-repo"
	}
	return "arn:aws:codeartifact:local:" + walkAccount + ":" + resource
}

// TestRoutesDeclareTheirActions: every address of every format needs the action that is written here, on the resource that is written
// here: whoever lacks it hears so from the door, whoever has it and may read is let through.
func TestRoutesDeclareTheirActions(t *testing.T) {
	t.Parallel()
	w := newWalk(t)
	table := routes()
	for _, f := range all.Formats() {
		name := f.Traits().Name
		if len(table[name]) == 0 {
			t.Errorf("the routes of format %s are not written here", name)
		}
		for _, r := range table[name] {
			what := fmt.Sprintf("%s %s %s", name, r.method, r.path)
			if r.action == refused {
				if rec, _ := w.as("without-"+read, r, r.at(name)); rec.Code < 300 || rec.Code == http.StatusInternalServerError || rec.Body.Len() > 400 {
					t.Errorf("%s: %d %s", what, rec.Code, rec.Body)
				}
				continue
			}
			for action := range strings.SplitSeq(r.action, "+") {
				rec, e := w.as("without-"+action, r, r.at(name))
				if rec.Code != http.StatusForbidden || e == nil || e.EventName != action || e.Resources[0].ARN != r.arn(action) {
					t.Errorf("%s without %s: %d %s, recorded %+v; want it denied on %s", what, action, rec.Code, rec.Body, e, r.arn(action))
				}
			}
			if rec, e := w.as("with-"+r.action, r, r.at(name)); rec.Code >= 500 || rec.Code == 401 || rec.Code == 403 && e != nil && e.ErrorCode == "AccessDeniedException" && strings.Contains(e.ErrorMessage, "is not authorized") {
				t.Errorf("%s with %s: %d %s", what, r.action, rec.Code, rec.Body)
			}
		}
	}
}

// TestSpellingsAreOneAddress: however an address is spelled, it is the same principal, action and resource, or it is no address at all.
func TestSpellingsAreOneAddress(t *testing.T) {
	t.Parallel()
	w := newWalk(t)
	for _, f := range all.Formats() {
		name := f.Traits().Name
		for _, r := range routes()[name] { // so that there is something to change
			if strings.HasPrefix(r.action, publish) || r.method == http.MethodPut && strings.Contains(r.path, "dist-tags") {
				w.as("", r, r.at(name))
			}
		}
		for _, r := range routes()[name] {
			if r.action == refused {
				continue
			}
			same := 0
			action, _, _ := strings.Cut(r.action, "+")
			for _, path := range spellings(r.at(name)) {
				rec, e := w.as("without-"+action, r, path)
				if strings.Contains(path, "%25") { // names another thing, if anything
					if rec.Code < 400 {
						t.Errorf("%s %s, escaped twice in %s: %d %s", name, r.method+" "+r.path, path, rec.Code, rec.Body)
					}
					continue
				}
				gone := rec.Code == http.StatusNotFound || rec.Code == http.StatusBadRequest || rec.Code == http.StatusMethodNotAllowed || rec.Code == http.StatusMovedPermanently
				denied := rec.Code == http.StatusForbidden && e != nil && e.EventName == action && e.Resources[0].ARN == r.arn(action) && strings.HasSuffix(e.UserIdentity.ARN, "user/without-"+action)
				if denied {
					same++
				}
				if !denied && !gone {
					t.Errorf("%s %s, spelled %s: %d %s, recorded %+v", name, r.method+" "+r.path, path, rec.Code, rec.Body, e)
				}
			}
			if same < 5 {
				t.Errorf("%s %s: %d spellings reached the door", name, r.method+" "+r.path, same)
			}
		}
	}
}

// spellings of an address: whole segments and single characters escaped, in either case, twice, with dots and empty segments, and the
// other form of address.
func spellings(address string) []string {
	path, query, _ := strings.Cut(address, "?")
	segments := strings.Split(path, "/")
	out := []string{path}
	with := func(i int, segment string) {
		s := slices.Clone(segments)
		s[i] = segment
		out = append(out, strings.Join(s, "/"))
	}
	for i, s := range segments[1:] {
		plain, err := url.PathUnescape(s)
		if err != nil {
			panic(err) // ours
		}
		if plain == "" {
			continue
		}
		with(i+1, escapeAll(plain, "%%%02X"))
		with(i+1, escapeAll(plain, "%%%02x"))
		with(i+1, fmt.Sprintf("%%%02X", plain[0])+url.PathEscape(plain[1:]))
		with(i+1, strings.ReplaceAll(escapeAll(plain, "%%%02x"), "%", "%25")) // twice
		with(i+1, "./"+s)
		with(i+1, "x/../"+s)
		with(i+1, "%2e/"+s)
		with(i+1, s+"%00")
		with(i+1, s+"%2f")
		with(i+1, "/"+s)
	}
	guide := slices.Concat([]string{"", segments[2], "d", segments[1]}, segments[3:])
	out = append(out, strings.Join(guide, "/"), strings.Join(slices.Insert(slices.Clone(segments), 4, ""), "/"))
	if query != "" {
		for i := range out {
			out[i] += "?" + query
		}
	}
	return out
}

func escapeAll(s, format string) string {
	var b strings.Builder
	for i := range len(s) {
		fmt.Fprintf(&b, format, s[i])
	}
	return b.String()
}

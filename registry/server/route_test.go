package server

import (
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/config"
)

var myDomain = registry.DomainRef{Owner: "111122223333", Name: "my-domain"}

func TestParseRoute(t *testing.T) {
	t.Parallel()
	is := func(f form, rest string) route {
		return route{form: f, domain: myDomain, format: "toy", repository: "my_Repo.1", rest: rest}
	}
	const path, guide, host = "/my-domain-111122223333/toy/my_Repo.1", "/toy/d/my-domain-111122223333/my_Repo.1", "/toy/my_Repo.1"
	tests := map[string]struct {
		path   string
		domain registry.DomainRef
		want   route
		err    error
	}{
		"path form":                       {path: path + "/a/b", want: is(formPath, "a/b")},
		"path form, repository alone":     {path: path, want: is(formPath, "")},
		"path form, slash":                {path: path + "/", want: is(formPath, "")},
		"guide's form":                    {path: guide + "/a", want: is(formGuide, "a")},
		"guide's form, repository alone":  {path: guide, want: is(formGuide, "")},
		"host form":                       {path: host + "/a", domain: myDomain, want: is(formHost, "a")},
		"one empty segment":               {path: path + "//a", want: is(formPath, "a")},
		"one empty segment and no more":   {path: path + "//", want: is(formPath, "")},
		"two empty segments":              {path: path + "///a", err: registry.ErrInvalid},
		"empty segment further on":        {path: path + "/a//b", err: registry.ErrInvalid},
		"slash at the end":                {path: path + "/a/", want: is(formPath, "a/")},
		"escaped slash in the rest":       {path: path + "/@s%2fname", want: is(formPath, "@s%2fname")},
		"escaped letter in the rest":      {path: path + "/%61", want: is(formPath, "%61")},
		"plus stays":                      {path: path + "/1+2", want: is(formPath, "1+2")},
		"escaped letter in the names":     {path: "/my-domain-11112222333%33/to%79/my%5FRepo.1/a", want: is(formPath, "a")},
		"account has a hyphen before":     {path: "/-111122223333/toy/r", err: registry.ErrNotFound},
		"nothing":                         {path: "", err: registry.ErrNotFound},
		"root":                            {path: "/", err: registry.ErrNotFound},
		"domain alone":                    {path: "/my-domain-111122223333/", err: registry.ErrNotFound},
		"no repository":                   {path: "/my-domain-111122223333/toy/", err: registry.ErrNotFound},
		"no account":                      {path: "/my-domain/toy/r/a", err: registry.ErrNotFound},
		"eleven digits":                   {path: "/my-domain-11112222333/toy/r/a", err: registry.ErrNotFound},
		"guide's form without domain":     {path: "/toy/d/", err: registry.ErrNotFound},
		"guide's form, no domain":         {path: "/toy/d/x/r", err: registry.ErrInvalid},
		"empty segments in front":         {path: "//my-domain-111122223333/toy/r", err: registry.ErrNotFound},
		"slash in the domain":             {path: "/my%2fdomain-111122223333/toy/r", err: registry.ErrInvalid},
		"slash in the format":             {path: "/my-domain-111122223333/to%2Fy/r", err: registry.ErrInvalid},
		"slash in the repository":         {path: "/my-domain-111122223333/toy/r%2fx/a", err: registry.ErrInvalid},
		"backslash in the repository":     {path: "/my-domain-111122223333/toy/r%5c/a", err: registry.ErrInvalid},
		"dots for a repository":           {path: "/my-domain-111122223333/toy/../a", err: registry.ErrInvalid},
		"escaped dots for a repository":   {path: "/my-domain-111122223333/toy/%2e%2e/a", err: registry.ErrInvalid},
		"doubly escaped dots":             {path: "/my-domain-111122223333/toy/%252e%252e/a", err: registry.ErrInvalid},
		"NUL in the repository":           {path: "/my-domain-111122223333/toy/r%00/a", err: registry.ErrInvalid},
		"other letters in the repository": {path: "/my-domain-111122223333/toy/rép%C3%B4/a", err: registry.ErrInvalid},
		"semicolon in the repository":     {path: "/my-domain-111122223333/toy/r;x/a", err: registry.ErrInvalid},
		"too long":                        {path: "/my-domain-111122223333/toy/" + strings.Repeat("r", 129), err: registry.ErrInvalid},
		"bad escape in the names":         {path: "/my-domain-111122223333/toy/%zz/a", err: registry.ErrInvalid},
		"bad escape in the rest":          {path: path + "/%z", err: registry.ErrInvalid},
		"cut escape in the rest":          {path: path + "/%2", err: registry.ErrInvalid},
		"dots in the rest":                {path: path + "/a/../b", err: registry.ErrInvalid},
		"a dot in the rest":               {path: path + "/./b", err: registry.ErrInvalid},
		"escaped dots in the rest":        {path: path + "/a/%2e%2E/b", err: registry.ErrInvalid},
		"dots between escaped slashes":    {path: path + "/a%2f..%2fb", err: registry.ErrInvalid},
		"dots and one escaped slash":      {path: path + "/..%2fb", err: registry.ErrInvalid},
		"backslash in the rest":           {path: path + `/a\b`, err: registry.ErrInvalid},
		"escaped backslash in the rest":   {path: path + "/a%5Cb", err: registry.ErrInvalid},
		"NUL in the rest":                 {path: path + "/a%00", err: registry.ErrInvalid},
		"line end in the rest":            {path: path + "/a%0d%0aX: y", err: registry.ErrInvalid},
		"dots that are a name":            {path: path + "/...", want: is(formPath, "...")},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := parseRoute(tt.path, tt.domain)
			if !errors.Is(err, tt.err) {
				t.Fatalf("got %+v, %v; want %v", got, err, tt.err)
			}
			if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(route{})); err == nil && diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// FuzzParseRoute: whatever is asked for, the names are plain, no segment of the rest climbs when it is unescaped once, and the
// address of the repository is read back as the same repository.
func FuzzParseRoute(f *testing.F) {
	for _, s := range []string{
		"/my-domain-111122223333/toy/my-repo/@s%2fname", "/toy/d/my-domain-111122223333/my-repo//a/", "/toy/my-repo/x", "/%2e%2e/", "//", "/a/b/c/d",
		"/my-domain-111122223333/toy/r/a%2f..%2fb", "/my-domain-111122223333/toy/r/%252e%252e/x",
	} {
		f.Add(s, false)
		f.Add(s, true)
	}
	f.Fuzz(func(t *testing.T, path string, byHost bool) {
		domain := registry.DomainRef{}
		if byHost {
			domain = myDomain
		}
		got, err := parseRoute(path, domain)
		if err != nil {
			if !errors.Is(err, registry.ErrInvalid) && !errors.Is(err, registry.ErrNotFound) {
				t.Fatalf("%v has no sentinel", err)
			}
			return
		}
		for _, name := range []string{got.domain.Name, string(got.format), got.repository} {
			if !plain(name) || name == "" || name == "." || name == ".." {
				t.Fatalf("name %q from %q", name, path)
			}
		}
		u, err := url.PathUnescape(got.rest)
		if err != nil {
			t.Fatalf("rest %q: %v", got.rest, err)
		}
		for s := range strings.SplitSeq(u, "/") {
			if s == "." || s == ".." || strings.ContainsAny(s, "\x00\\") {
				t.Fatalf("segment %q from %q", s, path)
			}
		}
		again, err := parseRoute(got.address("")+"/"+got.rest, domain)
		if diff := cmp.Diff(got, again, cmp.AllowUnexported(route{})); err != nil || diff != "" {
			t.Fatalf("%q is read back differently: %v\n%s", path, err, diff)
		}
	})
}

func TestLocate(t *testing.T) {
	t.Parallel()
	e := newEndpoints([]config.Endpoint{
		{Name: "public", URL: "https://Packages.example.com:443", Host: "packages.example.com"},
		{Name: "domains", Host: "Domains.example.com"}, {Host: "plain.example.com"}, {URL: "http://plain.example.com:8080/prefix"},
		{Name: "intranet", URL: "https://intranet.example.com/tools/packages/"},
		{URL: "http://10.1.2.3:8080"},
		{URL: "http://127.0.0.1:4873"},
		{URL: "ftp://nobody"}, {URL: "::"}, {URL: ""},
	})
	tests := map[string]struct {
		list             *endpoints
		host, path       string
		tls              bool
		base, left, wild string
		missing          bool
	}{
		"declared":                     {host: "packages.example.com", path: "/x", tls: true, base: "https://packages.example.com", left: "/x"},
		"declared, port and case":      {host: "PACKAGES.example.com:443", path: "/x", tls: true, base: "https://packages.example.com", left: "/x"},
		"declared, TLS ended before":   {host: "packages.example.com", path: "/x", base: "https://packages.example.com", left: "/x"},
		"prefix":                       {host: "intranet.example.com", path: "/tools/packages/x/y", base: "https://intranet.example.com/tools/packages", left: "/x/y"},
		"prefix alone":                 {host: "intranet.example.com", path: "/tools/packages", base: "https://intranet.example.com/tools/packages", left: ""},
		"half a segment of a prefix":   {host: "intranet.example.com", path: "/tools/packagesx", base: "https://packages.example.com", left: "/tools/packagesx"},
		"another port":                 {host: "10.1.2.3:8080", path: "/x", base: "http://10.1.2.3:8080", left: "/x"},
		"undeclared":                   {host: "evil.example.org", path: "/x", base: "https://packages.example.com", left: "/x"},
		"undeclared, with prefix":      {host: "evil.example.org", path: "/tools/packages/x", base: "https://intranet.example.com/tools/packages", left: "/x"},
		"no host":                      {host: "", path: "/x", base: "https://packages.example.com", left: "/x"},
		"loopback, declared":           {host: "127.0.0.1:4873", path: "/x", base: "http://127.0.0.1:4873", left: "/x"},
		"loopback, any port":           {host: "localhost:12345", path: "/x", base: "http://localhost:12345", left: "/x"},
		"loopback, version 6":          {host: "[::1]:12345", path: "/x", base: "http://[::1]:12345", left: "/x"},
		"loopback with TLS":            {host: "localhost:12345", path: "/x", tls: true, base: "https://localhost:12345", left: "/x"},
		"loopback with a prefix":       {host: "localhost:1", path: "/tools/packages/x", base: "http://localhost:1/tools/packages", left: "/x"},
		"looks like loopback":          {host: "127.0.0.1.evil.org", path: "/x", base: "https://packages.example.com", left: "/x"},
		"loopback, port of letters":    {host: "localhost:a", path: "/x", base: "https://packages.example.com", left: "/x"},
		"loopback, no port":            {host: "localhost:", path: "/x", base: "https://packages.example.com", left: "/x"},
		"user before loopback":         {host: "localhost@evil.org", path: "/x", base: "https://packages.example.com", left: "/x"},
		"loopback with a path in host": {host: "localhost/evil:1", path: "/x", base: "https://packages.example.com", left: "/x"},
		"wildcard":                     {host: "my-domain-111122223333.d.packages.example.com", path: "/toy/r", base: "https://my-domain-111122223333.d.packages.example.com", left: "/toy/r", wild: "my-domain-111122223333"},
		"wildcard with port":           {host: "My-Domain-111122223333.d.packages.example.com:443", path: "/toy/r", base: "https://my-domain-111122223333.d.packages.example.com", left: "/toy/r", wild: "my-domain-111122223333"},
		"wildcard alone":               {host: "my-domain-111122223333.d.domains.example.com", path: "/toy/r", base: "https://my-domain-111122223333.d.domains.example.com", left: "/toy/r", wild: "my-domain-111122223333"},
		"wildcard like its host":       {host: "my-domain-111122223333.d.plain.example.com:8080", path: "/toy/r", base: "http://my-domain-111122223333.d.plain.example.com:8080", left: "/toy/r", wild: "my-domain-111122223333"},
		"wildcard without account":     {host: "my-domain.d.packages.example.com", path: "/toy/r", missing: true},
		"wildcard of another host":     {host: "my-domain-111122223333.d.evil.org", path: "/toy/r", base: "https://packages.example.com", left: "/toy/r"},
		"nothing declared":             {list: newEndpoints(nil), host: "packages.example.com", path: "/x", missing: true},
		"nothing declared, loopback":   {list: newEndpoints(nil), host: "127.0.0.1:1", path: "/x", base: "http://127.0.0.1:1", left: "/x"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			list := tt.list
			if list == nil {
				list = e
			}
			at, err := list.locate(tt.host, tt.tls, tt.path)
			base, left, domain := at.base, at.left, at.domain
			if tt.missing {
				if !errors.Is(err, registry.ErrNotFound) {
					t.Fatalf("got %q, %v; want ErrNotFound", base, err)
				}
				return
			}
			wild := ""
			if domain != (registry.DomainRef{}) {
				wild = domain.String()
			}
			if base != tt.base || left != tt.left || wild != tt.wild || err != nil {
				t.Errorf("got %q %q %q %v; want %q %q %q", base, left, wild, err, tt.base, tt.left, tt.wild)
			}
		})
	}
}

// TestListener: no Host leads around the policy of the address that documents are given.
func TestListener(t *testing.T) {
	t.Parallel()
	e := newEndpoints([]config.Endpoint{{Name: "public", URL: "https://packages.example.com", Host: "packages.example.com"}, {Name: "intranet", URL: "https://i.example.com/tools"}})
	for _, tt := range []struct{ host, path, name, listener string }{
		{"packages.example.com", "/x", "public", "public"},
		{"i.example.com", "/tools/x", "intranet", "intranet"},
		{"d-111122223333.d.packages.example.com", "/npm/r", "public", "public"},
		{"evil.example.org", "/x", "", "public"},
		{"evil.example.org", "/tools/x", "", "intranet"},
		{"localhost:1", "/x", "", "public"},
		{"", "/tools/x", "", "intranet"},
	} {
		at, err := e.locate(tt.host, true, tt.path)
		if err != nil || at.name != tt.name || at.listener != tt.listener {
			t.Errorf("%s%s: %+v, %v; want %q and %q", tt.host, tt.path, at, err, tt.name, tt.listener)
		}
	}
}

// FuzzLocate: a Host header never stands in a base address, unless it is a loopback name or a domain's label.
func FuzzLocate(f *testing.F) {
	f.Add("localhost:1", "/x", false)
	f.Add("my-domain-111122223333.d.packages.example.com", "/x", true)
	f.Add("localhost@evil.org", "/", false)
	f.Add("[::1]:80:90", "/tools", false)
	e := newEndpoints([]config.Endpoint{{URL: "https://packages.example.com", Host: "packages.example.com"}, {URL: "https://i.example.com/tools"}})
	f.Fuzz(func(t *testing.T, host, path string, tls bool) {
		at, err := e.locate(host, tls, path)
		base, left := at.base, at.left
		if err != nil {
			return
		}
		if !strings.HasSuffix(path, left) {
			t.Fatalf("%q is not the end of %q", left, path)
		}
		u, err := url.Parse(base)
		if err != nil {
			t.Fatalf("base %q: %v", base, err)
		}
		name := u.Hostname()
		if name != "localhost" && name != "127.0.0.1" && name != "::1" && name != "packages.example.com" && name != "i.example.com" &&
			!strings.HasSuffix(name, ".d.packages.example.com") || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
			t.Fatalf("base %q for host %q", base, host)
		}
	})
}

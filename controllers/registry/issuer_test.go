package registry

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"

	"packhouse.dev/packhouse/registry/config"
)

// The apiserver's issuer and keys become the document's, whatever the order in which the keys say what they are.
func TestClusterIssuer(t *testing.T) {
	t.Parallel()
	answers := map[string]string{
		discoveryPath: `{"issuer":"https://kubernetes.default.svc","jwks_uri":"https://10.0.0.1/openid/v1/jwks"}`,
		keysPath:      `{"keys":[{"use":"sig","kty":"RSA","kid":"k1","alg":"RS256","n":"AQ","e":"AQAB"}]}`,
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, ok := answers[r.URL.Path]
		if !ok {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		_, _ = w.Write([]byte(body))
	}))
	t.Cleanup(s.Close)
	c, err := discovery.NewDiscoveryClientForConfig(&rest.Config{Host: s.URL})
	if err != nil {
		t.Fatal(err)
	}
	ask := ClusterIssuer(c.RESTClient())
	got, err := ask(t.Context())
	want := config.ClusterIssuer{Issuer: "https://kubernetes.default.svc", Keys: `{"keys":[{"alg":"RS256","e":"AQAB","kid":"k1","kty":"RSA","n":"AQ","use":"sig"}]}`}
	if err != nil || *got != want {
		t.Errorf("got %+v, %v", got, err)
	}
	answers[keysPath] = `{"keys":[]}`
	if got, err := ask(t.Context()); err == nil {
		t.Errorf("without keys: %+v", got)
	}
	delete(answers, discoveryPath)
	if _, err := ask(t.Context()); err == nil || !strings.Contains(err.Error(), discoveryPath) {
		t.Errorf("forbidden: %v", err)
	}
}

func TestIssuerIsRemembered(t *testing.T) {
	t.Parallel()
	clock, asked := time.Now(), 0
	var fail error
	i := issuer{now: func() time.Time { return clock }, ask: func(context.Context) (*config.ClusterIssuer, error) {
		asked++
		if fail != nil {
			return nil, fail
		}
		return &config.ClusterIssuer{Issuer: "x"}, nil
	}}
	for _, step := range []struct {
		after time.Duration
		fail  error
		asked int
	}{{0, nil, 1}, {time.Minute, nil, 1}, {issuerFresh, errors.New("down"), 2}, {time.Second, nil, 2}, {issuerAgain, nil, 3}} {
		clock, fail = clock.Add(step.after), step.fail
		if got := i.get(t.Context()); got == nil || asked != step.asked {
			t.Errorf("%+v: %+v, asked %d times", step, got, asked)
		}
	}
	if got := (&issuer{now: time.Now}).get(t.Context()); got != nil {
		t.Errorf("nobody to ask: %+v", got)
	}
}

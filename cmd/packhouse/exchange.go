package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"packhouse.dev/packhouse/registry"
)

// identityFlag names the file with a token of another issuer.
const identityFlag = "identity-token"

// exchange gets a token of a registry for one of another issuer: of a service account, as a pod has it in a projected volume, or of a
// build system. Nobody needs to administer the registry for that.
type exchange struct {
	file     string // "-": standard input; "": none
	provider string
}

func (e *exchange) flags(c *cobra.Command) {
	c.Flags().StringVar(&e.file, identityFlag, "", "`FILE` with a token of a service account or of another issuer, to exchange for one of the registry; - reads it from standard input")
	c.Flags().StringVar(&e.provider, "provider", "", "the IdentityProvider that knows its issuer, as `NAMESPACE/NAME`, if several would take it")
}

// maxExchange is how much of a file and of an answer is read, in bytes.
const maxExchange = 64 << 10

// token asks the registry at an address (RFC 8693). A duration of 0 takes the end of the other token.
func (e *exchange) token(ctx context.Context, stdin io.Reader, endpoint string, ref registry.DomainRef, duration time.Duration) (value string, expires time.Time, err error) {
	subject, err := e.read(stdin)
	if err != nil {
		return "", time.Time{}, err
	}
	u, err := baseAddress(endpoint)
	if err != nil {
		return "", time.Time{}, err
	}
	form := url.Values{
		"grant_type": {"urn:ietf:params:oauth:grant-type:token-exchange"}, "subject_token_type": {"urn:ietf:params:oauth:token-type:jwt"},
		"subject_token": {subject}, "audience": {ref.String()}, "duration_seconds": {strconv.FormatInt(int64(duration/time.Second), 10)},
	}
	if e.provider != "" {
		form.Set("provider", e.provider)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, u.JoinPath("-", "oauth", "token").String(), strings.NewReader(form.Encode()))
	if err != nil {
		return "", time.Time{}, err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	client := http.Client{Timeout: 30 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse // the token is for nobody else
	}}
	resp, err := client.Do(r)
	if err != nil {
		return "", time.Time{}, fmt.Errorf("exchange the token: %w", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxExchange))
	if err != nil {
		return "", time.Time{}, fmt.Errorf("exchange the token: %w", err)
	}
	return readGrant(resp.StatusCode, body)
}

func readGrant(status int, body []byte) (value string, expires time.Time, err error) {
	var said struct {
		AccessToken string `json:"access_token"`
		ExpiresIn   int64  `json:"expires_in"`
		Description string `json:"error_description"`
	}
	if err := json.Unmarshal(body, &said); err != nil {
		return "", time.Time{}, fmt.Errorf("exchange the token: the answer, with status %d, is none of a Packhouse registry: is --endpoint its address?", status)
	}
	switch {
	case status != http.StatusOK && said.Description != "":
		return "", time.Time{}, fmt.Errorf("exchange the token: %s", said.Description)
	case status != http.StatusOK || said.AccessToken == "":
		return "", time.Time{}, fmt.Errorf("exchange the token: status %d", status)
	}
	return said.AccessToken, time.Now().Add(time.Duration(said.ExpiresIn) * time.Second), nil
}

func (e *exchange) read(stdin io.Reader) (string, error) {
	from := stdin
	if e.file != "-" {
		f, err := os.Open(e.file)
		if err != nil {
			return "", fmt.Errorf("--%s: %w", identityFlag, err)
		}
		defer f.Close()
		from = f
	}
	b, err := io.ReadAll(io.LimitReader(from, maxExchange))
	if err != nil {
		return "", fmt.Errorf("--%s: %w", identityFlag, err)
	}
	token := strings.TrimSpace(string(b))
	if token == "" {
		return "", fmt.Errorf("--%s: there is no token in it", identityFlag)
	}
	return token, nil
}

// named checks that everything is said that a registry is not asked for whom one does not administer.
func (e *exchange) named(endpoint string, ref registry.DomainRef) error {
	switch {
	case e.file == "" && e.provider != "":
		return fmt.Errorf("--provider is for --%s", identityFlag)
	case e.file != "" && (endpoint == "" || ref.Name == "" || !registry.IsAccount(ref.Owner)):
		return fmt.Errorf("with --%s say --endpoint, --domain and --domain-owner, too", identityFlag)
	}
	return nil
}

// baseAddress reads the address of a registry.
func baseAddress(endpoint string) (*url.URL, error) {
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || u.RawQuery != "" {
		return nil, fmt.Errorf("--endpoint %q is not an address like https://packages.example.com", endpoint)
	}
	return u, nil
}

// errNotLocal says that flags mean different registries.
var errNotLocal = errors.New("--" + identityFlag + " is for a registry that you do not administer: leave the flags for one in a cluster or on this machine out")

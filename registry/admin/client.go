package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"time"

	"packhouse.dev/packhouse/registry"
)

// maxAnswer is how much of an answer is read, in bytes.
const maxAnswer = 64 << 20

// ErrNotRunning says that nobody listens on the socket of a data directory.
var ErrNotRunning = errors.New("no registry is running there")

// Client calls the admin API of a registry. It is safe for concurrent use.
type Client struct {
	http *http.Client
	base string
}

// NewClient returns a client of the API at base, an address without a slash at the end. c has what proves who is calling.
func NewClient(base string, c *http.Client) *Client { return &Client{http: c, base: base} }

// OpenDir returns a client of the registry that runs over a data directory. It dials with the first call, which fails with
// ErrNotRunning if there is none.
func OpenDir(dataDir string) *Client {
	path := filepath.Join(dataDir, SocketName)
	transport := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			conn, err := dialUnix(ctx, path)
			if err != nil {
				return nil, fmt.Errorf("%w: %w", ErrNotRunning, err)
			}
			return conn, nil
		},
		MaxIdleConns: 1, IdleConnTimeout: time.Minute, ResponseHeaderTimeout: 10 * time.Minute,
	}
	return NewClient("http://packhouse", &http.Client{Transport: transport})
}

// Token gets a token.
func (c *Client) Token(ctx context.Context, q TokenRequest) (*Token, error) {
	return call[Token](ctx, c, http.MethodPost, PathTokens, q)
}

// Apply puts a configuration in force.
func (c *Client) Apply(ctx context.Context, q Configuration) (*Applied, error) {
	return call[Applied](ctx, c, http.MethodPut, PathConfiguration, q)
}

// Configuration reads what was last applied.
func (c *Client) Configuration(ctx context.Context) (*Configuration, error) {
	return call[Configuration](ctx, c, http.MethodGet, PathConfiguration, nil)
}

// PutSecrets replaces all secrets.
func (c *Client) PutSecrets(ctx context.Context, q Secrets) error {
	_, err := call[struct{}](ctx, c, http.MethodPut, PathSecrets, q)
	return err
}

// Remove deletes content that is not declared any more.
func (c *Client) Remove(ctx context.Context, q Removal) error {
	_, err := call[struct{}](ctx, c, http.MethodPost, PathRemovals, q)
	return err
}

// Take asks for changes that clients of the service API want.
func (c *Client) Take(ctx context.Context, q TakeRequest) (*Intents, error) {
	return call[Intents](ctx, c, http.MethodPost, PathTaken, q)
}

// Answer says what became of one.
func (c *Client) Answer(ctx context.Context, q Answer) error {
	_, err := call[struct{}](ctx, c, http.MethodPost, PathAnswers, q)
	return err
}

// Status asks what is served.
func (c *Client) Status(ctx context.Context) (*Status, error) {
	return call[Status](ctx, c, http.MethodGet, PathStatus, nil)
}

// Groups counts the packages of package groups. It looks at every package: do not ask often.
func (c *Client) Groups(ctx context.Context) (*Groups, error) {
	return call[Groups](ctx, c, http.MethodGet, PathGroups, nil)
}

// Collect collects what nothing refers to.
func (c *Client) Collect(ctx context.Context, q CollectRequest) (*Collected, error) {
	return call[Collected](ctx, c, http.MethodPost, PathCollect, q)
}

// Revoke ends tokens.
func (c *Client) Revoke(ctx context.Context, q Revocation) error {
	_, err := call[struct{}](ctx, c, http.MethodPost, PathRevocations, q)
	return err
}

// WhyPermission asks who decides whether somebody may do something.
func (c *Client) WhyPermission(ctx context.Context, q PermissionRequest) (*Permission, error) {
	return call[Permission](ctx, c, http.MethodPost, PathWhyPermission, q)
}

// WhyPackage asks where a package comes from.
func (c *Client) WhyPackage(ctx context.Context, q PackageRequest) (*PackageTrace, error) {
	return call[PackageTrace](ctx, c, http.MethodPost, PathWhyPackage, q)
}

func call[T any](ctx context.Context, c *Client, method, path string, q any) (*T, error) {
	var body io.Reader
	if q != nil {
		b, err := json.Marshal(q)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(b)
	}
	r, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	resp, err := c.http.Do(r)
	if err != nil {
		return nil, fmt.Errorf("admin API: %w", err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("admin API: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, failure(resp.StatusCode, b)
	}
	out := new(T)
	if err := json.Unmarshal(b, out); err != nil {
		return nil, fmt.Errorf("admin API: the answer is not understood: %w", err)
	}
	return out, nil
}

// RemoteError is what the registry said. It unwraps to the sentinel that its status stands for, if there is one.
type RemoteError struct {
	Status int
	Text   string
}

// Error implements error.
func (e *RemoteError) Error() string { return e.Text }

// Unwrap implements the interface of errors.Is.
func (e *RemoteError) Unwrap() error {
	switch e.Status {
	case http.StatusBadRequest:
		return registry.ErrInvalid
	case http.StatusForbidden:
		return registry.ErrAccessDenied
	case http.StatusNotFound:
		return registry.ErrNotFound
	case http.StatusConflict:
		return registry.ErrConflict
	case http.StatusPreconditionFailed:
		return registry.ErrStale
	case http.StatusServiceUnavailable:
		return registry.ErrUnavailable
	}
	return nil
}

func failure(status int, body []byte) error {
	var said struct {
		Error string `json:"error"`
	}
	if err := json.Unmarshal(body, &said); err != nil || said.Error == "" {
		said.Error = fmt.Sprintf("admin API: status %d", status)
	}
	return &RemoteError{Status: status, Text: said.Error}
}

package handler

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/admin"
	"packhouse.dev/packhouse/registry/identity"
	"packhouse.dev/packhouse/registry/secret"
)

// maxCredential bounds each part of a secret, in bytes: it goes into a header.
const maxCredential = 8 << 10

// credentials is the form in which package external takes a secret.
type credentials struct {
	Host     string `json:"host"`
	Username string `json:"username,omitempty"`
	Password string `json:"password,omitempty"`
	Token    string `json:"token,omitempty"`
}

// secrets replaces all. What is wrong with one is said by its name, never by what it holds.
func (h *handler) secrets(ctx context.Context, q *admin.Secrets) (*struct{}, error) {
	all := make(map[string][]byte, len(q.Secrets)+len(q.AccessKeys))
	for i := range q.Secrets {
		s := &q.Secrets[i]
		if problem := wrong(s); problem != "" {
			return nil, fmt.Errorf("%w: secret %.300q: %s", registry.ErrInvalid, s.Name, problem)
		}
		if all[s.Name] != nil {
			return nil, fmt.Errorf("%w: there are two secrets %.300q", registry.ErrInvalid, s.Name)
		}
		b, err := json.Marshal(credentials{Host: s.Host, Username: s.Username, Password: s.Password, Token: s.Token})
		if err != nil { // texts: it can be marshalled
			return nil, fmt.Errorf("secret %q cannot be written", s.Name)
		}
		all[s.Name] = b
	}
	for _, k := range q.AccessKeys {
		if problem := wrongKey(k); problem != "" {
			return nil, fmt.Errorf("%w: access key %.150q: %s", registry.ErrInvalid, k.ID, problem)
		}
		name := secret.AccessKey(k.ID)
		if all[name] != nil {
			return nil, fmt.Errorf("%w: there are two access keys %.150q", registry.ErrInvalid, k.ID)
		}
		all[name] = []byte(k.Secret)
	}
	if err := h.Secrets.Replace(ctx, all); err != nil {
		return nil, err
	}
	h.Logger.InfoContext(ctx, "secrets replaced", "number", len(all))
	return &struct{}{}, nil
}

// wrong says what is wrong with a secret; "" if nothing is.
func wrong(s *admin.Secret) string {
	if s.Name == "" || len(s.Name) > 512 || strings.ContainsFunc(s.Name, control) {
		return "a secret needs a name of at most 512 bytes, without control characters"
	}
	if u, err := url.Parse("https://" + s.Host); err != nil || u.Host != s.Host || u.Hostname() == "" {
		return "its host must be a host name or an address, with a port if it is not the scheme's own"
	}
	for _, part := range []string{s.Username, s.Password, s.Token} {
		if len(part) > maxCredential || strings.ContainsFunc(part, control) {
			return "a user name, password or token has control characters, or is too long; a line end behind it is the usual reason"
		}
	}
	switch {
	case (s.Token == "") == (s.Username == ""), s.Token != "" && s.Password != "":
		return "it must have username and password, or a token"
	case strings.Contains(s.Username, ":"):
		return "a user name must not have a colon" // RFC 7617, section 2
	}
	return ""
}

// wrongKey says what is wrong with an access key; "" if nothing is.
func wrongKey(k admin.AccessKeySecret) string {
	if err := identity.CheckKeyID(k.ID); err != nil {
		return err.Error()
	}
	if err := identity.CheckKeySecret(k.Secret); err != nil {
		return err.Error()
	}
	return ""
}

func control(r rune) bool { return r < ' ' || r == 0x7f }

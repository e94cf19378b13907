package auth

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"

	"packhouse.dev/packhouse/registry"
)

// maxToken is the length up to which a token is looked at, in bytes. Ours have about 400.
const maxToken = 4 << 10

// keyHeaders carry a token where a client cannot send an Authorization header, in its canonical form.
var keyHeaders = [...]string{"X-Nuget-Apikey"} //nolint:gochecknoglobals // a constant

// Hint is what to do about a missing or dead token.
const Hint = `get one with "packhouse login" or "packhouse token"`

// Credentials finds the token of a request in the dress of any client:
//
//	Authorization: Bearer T     npm, pnpm, yarn, bun, SwiftPM; also "Token T"
//	Authorization: Basic u:T    pip, twine, Maven, Gradle, NuGet, Bundler; any user name
//	Authorization: Basic T:     addresses with https://T@host; also ":T"
//	Authorization: T            cargo, gem push
//	X-NuGet-ApiKey: T           dotnet nuget push, where there is no Authorization
//
// White space around the token is not part of it: cargo on Windows sends a line end. A request without a token, or with more than
// one Authorization, is registry.ErrUnauthenticated.
func Credentials(h http.Header) (string, error) {
	values := h["Authorization"]
	if len(values) > 1 {
		return "", fmt.Errorf("%w: the request has more than one Authorization header", registry.ErrUnauthenticated)
	}
	if len(values) == 1 && values[0] != "" {
		return fromAuthorization(values[0])
	}
	for _, name := range keyHeaders {
		if v := h[name]; len(v) == 1 && v[0] != "" {
			return checked(v[0])
		}
	}
	return "", fmt.Errorf("%w: the request has no token; %s", registry.ErrUnauthenticated, Hint)
}

func fromAuthorization(v string) (string, error) {
	if len(v) > 2*maxToken {
		return "", malformed("is too long")
	}
	scheme, rest, found := strings.Cut(strings.TrimSpace(v), " ")
	switch {
	case !found:
		return checked(scheme)
	case strings.EqualFold(scheme, "Bearer"), strings.EqualFold(scheme, "Token"):
		return checked(rest)
	case strings.EqualFold(scheme, "Basic"):
		return fromBasic(strings.TrimSpace(rest))
	default:
		return "", malformed("has a scheme other than Bearer or Basic")
	}
}

// fromBasic takes the password, or the user name of a pair that has no password.
func fromBasic(encoded string) (string, error) {
	pair, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		if pair, err = base64.RawStdEncoding.DecodeString(encoded); err != nil {
			return "", malformed("is not encoded correctly")
		}
	}
	user, password, found := strings.Cut(string(pair), ":")
	if !found {
		return "", malformed("has no user name and password")
	}
	if password == "" {
		return checked(user)
	}
	return checked(password)
}

// checked returns a token that has only characters that a token can have. What it looks like otherwise is Verify's business.
func checked(token string) (string, error) {
	token = strings.TrimSpace(token)
	if token == "" {
		return "", fmt.Errorf("%w: the token is empty; %s", registry.ErrUnauthenticated, Hint)
	}
	if len(token) > maxToken {
		return "", malformed("is too long")
	}
	for i := range len(token) {
		if c := token[i]; c <= ' ' || c >= 0x7f {
			return "", malformed("has characters that no token has")
		}
	}
	return token, nil
}

// malformed never repeats what was sent: it may be a secret of another service.
func malformed(what string) error {
	return fmt.Errorf("%w: the Authorization of the request %s; %s", registry.ErrUnauthenticated, what, Hint)
}

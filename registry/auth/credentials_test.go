package auth

import (
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"testing"

	"packhouse.dev/packhouse/registry"
)

const sample = "eyJhbGciOiJIUzI1NiJ9.e30.c2lnbmF0dXJl"

func basic(pair string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(pair)) }

func TestCredentials(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		header http.Header
		want   string // "": registry.ErrUnauthenticated
	}{
		"bearer":                      {http.Header{"Authorization": {"Bearer " + sample}}, sample},
		"bearer in lower case":        {http.Header{"Authorization": {"bearer " + sample}}, sample},
		"two spaces":                  {http.Header{"Authorization": {"Bearer  " + sample}}, sample},
		"token scheme":                {http.Header{"Authorization": {"Token " + sample}}, sample},
		"basic with aws":              {http.Header{"Authorization": {basic("aws:" + sample)}}, sample},
		"basic with __token__":        {http.Header{"Authorization": {basic("__token__:" + sample)}}, sample},
		"basic with a mail address":   {http.Header{"Authorization": {basic("ci@example.com:" + sample)}}, sample},
		"basic without user":          {http.Header{"Authorization": {basic(":" + sample)}}, sample},
		"basic with user only":        {http.Header{"Authorization": {basic(sample + ":")}}, sample},
		"basic without padding":       {http.Header{"Authorization": {"Basic " + base64.RawStdEncoding.EncodeToString([]byte("aw:"+sample))}}, sample},
		"line end in the password":    {http.Header{"Authorization": {basic("aws:" + sample + "\r\n")}}, sample},
		"raw":                         {http.Header{"Authorization": {sample}}, sample},
		"raw with line end":           {http.Header{"Authorization": {sample + "\r\n"}}, sample},
		"NuGet key":                   {http.Header{"X-Nuget-Apikey": {sample}}, sample},
		"NuGet key beside credential": {http.Header{"Authorization": {basic("aws:" + sample)}, "X-Nuget-Apikey": {"az"}}, sample},
		"nothing":                     {http.Header{}, ""},
		"empty":                       {http.Header{"Authorization": {""}}, ""},
		"two":                         {http.Header{"Authorization": {"Bearer a", "Bearer " + sample}}, ""},
		"scheme only":                 {http.Header{"Authorization": {"Bearer "}}, "Bearer"}, // the token "Bearer", which is none
		"unknown scheme":              {http.Header{"Authorization": {"AWS4-HMAC-SHA256 Credential=x/y, Signature=z"}}, ""},
		"basic, not base64":           {http.Header{"Authorization": {"Basic %%%"}}, ""},
		"basic without colon":         {http.Header{"Authorization": {basic(sample)}}, ""},
		"basic, both empty":           {http.Header{"Authorization": {basic(":")}}, ""},
		"space inside":                {http.Header{"Authorization": {"Bearer a b"}}, ""},
		"control character":           {http.Header{"Authorization": {basic("aws:a\x00b")}}, ""},
		"too long":                    {http.Header{"Authorization": {"Bearer " + strings.Repeat("a", maxToken+1)}}, ""},
		"far too long":                {http.Header{"Authorization": {strings.Repeat("a ", 10*maxToken)}}, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := Credentials(tt.header)
			if got != tt.want || (tt.want == "") != errors.Is(err, registry.ErrUnauthenticated) {
				t.Errorf("got %q, %v; want %q", got, err, tt.want)
			}
			if err != nil && strings.Contains(err.Error(), sample) {
				t.Errorf("the error repeats the token: %v", err)
			}
		})
	}
}

// FuzzCredentials: whatever comes in, what goes out is printable, bounded and free of white space, and errors repeat nothing.
func FuzzCredentials(f *testing.F) {
	for _, s := range []string{"Bearer " + sample, basic("aws:" + sample), sample, "Basic ", "Basic Og==", "\x00", "Token\t\t"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, v string) {
		got, err := Credentials(http.Header{"Authorization": {v}})
		if (err == nil) == (got == "") {
			t.Fatalf("token %q with error %v", got, err)
		}
		if err != nil && !errors.Is(err, registry.ErrUnauthenticated) {
			t.Fatalf("%v is not ErrUnauthenticated", err)
		}
		if len(got) > maxToken || strings.ContainsFunc(got, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
			t.Fatalf("%q is no token", got)
		}
	})
}

package main

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codeartifact"
	"github.com/aws/aws-sdk-go-v2/service/codeartifact/types"
)

const quotasYAML = `apiVersion: packhouse.dev/v1alpha1
kind: Registry
metadata: {name: default}
spec:
  limits:
    profile: CodeArtifact
    requestRates:
      reads: 0
      token: 40
      writes: 3
      address: 2
      operations: {ListPackages: 1}
---
` + emptyYAML

// get returns the status and the header Retry-After of an answer.
func get(t *testing.T, method, url, token string, header ...string) (status, retryAfter int, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if s := res.Header.Get("Retry-After"); s != "" {
		if retryAfter, err = strconv.Atoi(s); err != nil {
			t.Errorf("Retry-After: %s", s)
		}
	}
	return res.StatusCode, retryAfter, string(b)
}

// TestQuotas: what is beyond a rate is 429 with a sentence and with the time to wait, in the form of the endpoint.
func TestQuotas(t *testing.T) {
	t.Parallel()
	r := startDev(t, dataFolder(t), quotasYAML)
	at := r.Endpoint + "/declared-111122223333/"

	// Writes are an account's; tokens of it share them.
	var denied int
	for i := range 6 {
		status, _, body := get(t, "PUT", at+"generic/theirs/n/p/"+strconv.Itoa(i)+"/f", r.Token)
		if status == http.StatusTooManyRequests && strings.Contains(body, "write requests of account 111122223333 may be 3 per second") {
			denied++
		} else if status >= 300 && status != http.StatusTooManyRequests {
			t.Errorf("%d %s", status, body)
		}
	}
	if denied == 0 {
		t.Error("six writes at once, and three are allowed")
	}

	// One request of the dependencies API counts for each of its gems.
	status, _, body := get(t, "GET", at+"ruby/theirs/api/v1/dependencies?gems="+strings.Repeat("a,", 29)+"a", r.Token)
	if status != http.StatusOK {
		t.Fatalf("%d %s", status, body)
	}
	status, wait, body := get(t, "GET", at+"ruby/theirs/api/v1/dependencies?gems="+strings.Repeat("a,", 29)+"a", r.Token)
	if status != http.StatusTooManyRequests || wait < 1 || !strings.Contains(body, "requests with one token may be 40 per second; try again in 1 s") {
		t.Errorf("30 twice, of 40: %d, %d s, %s", status, wait, body)
	}

	// Without a token it is the address that counts.
	denied = 0
	for range 6 {
		if status, _, _ := get(t, "GET", at+"generic/theirs/", ""); status == http.StatusTooManyRequests {
			denied++
		} else if status != http.StatusUnauthorized {
			t.Errorf("without a token: %d", status)
		}
	}
	if denied == 0 {
		t.Error("six requests without a token, and two are allowed")
	}

	// The API has its exception.
	c := newServiceClient(r)
	list := func() error {
		_, err := c.ListPackages(t.Context(), &codeartifact.ListPackagesInput{Domain: aws.String("declared"), Repository: aws.String("theirs")})
		return err
	}
	var many *types.ThrottlingException
	for range 3 {
		if err := list(); errors.As(err, &many) {
			break
		}
	}
	if many == nil || aws.ToInt32(many.RetryAfterSeconds) < 1 || !strings.Contains(many.ErrorMessage(), "requests for ListPackages may be 1 per second") {
		t.Errorf("got %+v", many)
	}
}

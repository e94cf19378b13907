package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestWrite(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	l := New(&out, 0, slog.New(slog.DiscardHandler))
	at := time.Date(2026, 11, 23, 19, 0, 0, 123456789, time.FixedZone("", 3600))
	e := &Entry{
		UserIdentity: Who("arn:aws:sts::111122223333:assumed-role/ci/pod", "111122223333"), EventTime: at, EventName: "PublishPackageVersion",
		UserAgent: "npm\n" + strings.Repeat("é", 400), RequestParameters: map[string]any{"domainName": "my-domain"},
		AdditionalEventData: Additional{HTTPMethod: "PUT", RequestURI: "/x"}, RequestID: "r", RecipientAccountIDs: Accounts("2", "", "1", "2"),
	}
	l.Write(e)
	if n := strings.Count(out.String(), "\n"); n != 1 {
		t.Fatalf("%d lines, want 1: %s", n, out.String())
	}
	var got map[string]any
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if agent := got["userAgent"].(string); len(agent) > maxText+len("…") {
		t.Errorf("the user agent has %d bytes", len(agent))
	}
	delete(got, "userAgent")
	want := map[string]any{
		"eventVersion": "1.08", "eventSource": "codeartifact.amazonaws.com", "eventType": "AwsApiCall", "eventName": "PublishPackageVersion",
		"eventTime":         "2026-11-23T18:00:00.123Z",
		"userIdentity":      map[string]any{"type": "AssumedRole", "arn": "arn:aws:sts::111122223333:assumed-role/ci/pod", "accountId": "111122223333"},
		"requestParameters": map[string]any{"domainName": "my-domain"}, "requestID": "r", "readOnly": false,
		"additionalEventData": map[string]any{"httpMethod": "PUT", "requestUri": "/x", "tookMillis": 0.0},
		"recipientAccountIds": []any{"1", "2"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestWho(t *testing.T) {
	t.Parallel()
	for arn, want := range map[string]string{
		"": "Anonymous", "arn:aws:iam::111122223333:root": "Root", "arn:aws:iam::111122223333:user/bob": "IAMUser",
		"arn:aws:sts::111122223333:assumed-role/ci/x": "AssumedRole",
	} {
		if got := Who(arn, "").Type; got != want {
			t.Errorf("%q is %s, want %s", arn, got, want)
		}
	}
}

func TestReads(t *testing.T) {
	t.Parallel()
	var none *Log
	if none.Reads() || none.Enabled() || New(nil, 0, nil).Reads() {
		t.Error("a log that records nothing records reads")
	}
	if !New(nil, 1, nil).Reads() {
		t.Error("a log of all reads leaves one out")
	}
	l, n := New(nil, 10, nil), 0
	for range 10_000 {
		if l.Reads() {
			n++
		}
	}
	if n < 500 || n > 2000 {
		t.Errorf("%d of 10000 reads, want about 1000", n)
	}
}

// full is a disk without room.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left") }

func TestNoRoom(t *testing.T) {
	t.Parallel()
	var said bytes.Buffer
	l := New(full{}, 0, slog.New(slog.NewTextHandler(&said, nil)))
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() { l.Write(&Entry{RequestID: "r-1"}) })
	}
	wg.Wait()
	if n := strings.Count(said.String(), "no space left"); n != 4 {
		t.Errorf("told %d times, want 4: %s", n, said.String())
	}
}

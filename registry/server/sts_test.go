package server

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"packhouse.dev/packhouse/registry/audit"
	"packhouse.dev/packhouse/registry/service/sts"
)

// fakeSTS answers with what it was sent.
type fakeSTS struct{}

func (fakeSTS) Serve(w http.ResponseWriter, _ *http.Request, body []byte, id string) *sts.Outcome {
	w.Header().Set("X-Amzn-Requestid", id)
	_, _ = w.Write(body)
	if len(body) == 0 {
		return &sts.Outcome{Status: http.StatusOK, Code: "MissingAction"}
	}
	return &sts.Outcome{Status: http.StatusOK, Action: "AssumeRoleWithWebIdentity", Role: "arn:aws:iam::111122223333:role/ci", Principal: root, KeyID: "ASIA1"}
}

// Requests to STS come whole and bounded, and are recorded without what they say.
func TestSTS(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.sts, w.stsCalls = w.serve(nil, "sts"), fakeSTS{}
	for _, tt := range []struct {
		path, body string
		status     int
	}{{sts.Path, "a=s3cret", 200}, {sts.Path + "/", "a=s3cret", 200}, {sts.Path, "", 200}, {sts.Path, strings.Repeat("x", maxForm+1), 413}, {sts.Path + "/x", "a", 404}} {
		r := httptest.NewRequest(http.MethodPost, tt.path, strings.NewReader(tt.body))
		r.Host, r.RemoteAddr = "localhost", "192.0.2.7:1"
		rec := httptest.NewRecorder()
		w.ServeHTTP(rec, r)
		if rec.Code != tt.status || tt.status == 200 && (rec.Body.String() != tt.body || rec.Header().Get("X-Amzn-Requestid") == "") {
			t.Errorf("%s: %d %.100s", tt.path, rec.Code, rec.Body)
		}
	}
	lines := strings.Split(strings.TrimSpace(w.record.String()), "\n")
	var e audit.Entry
	if err := json.Unmarshal([]byte(lines[0]), &e); err != nil || len(lines) != 2 {
		t.Fatalf("%v: %s", err, w.record.String())
	}
	if e.EventSource != "sts.amazonaws.com" || e.EventName != "AssumeRoleWithWebIdentity" || e.UserIdentity.ARN != root.ARN || e.UserIdentity.AccessKeyID != "ASIA1" ||
		e.RequestParameters["roleArn"] != "arn:aws:iam::111122223333:role/ci" || e.SourceIPAddress != "192.0.2.7" || strings.Contains(w.record.String(), "s3cret") {
		t.Errorf("recorded %s", lines[0])
	}
}

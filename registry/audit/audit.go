// Package audit writes the record of who did what: one line of JSON for every call of the service API and for every request of a package
// manager that changes something or is denied, and for some of those that read. Names of fields are CloudTrail's (user guide,
// "Understanding CodeArtifact log file entries"), so that what reads those reads these. No line holds a secret: queries, bodies and
// headers but User-Agent stand in none.
package audit

import (
	"cmp"
	"encoding/json"
	"io"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"
)

// Entry is one line.
type Entry struct {
	EventVersion        string         `json:"eventVersion"`
	UserIdentity        Identity       `json:"userIdentity"`
	EventTime           time.Time      `json:"eventTime"`
	EventSource         string         `json:"eventSource"`
	EventName           string         `json:"eventName"` // the action: PublishPackageVersion
	Region              string         `json:"awsRegion,omitempty"`
	SourceIPAddress     string         `json:"sourceIPAddress,omitempty"`
	UserAgent           string         `json:"userAgent,omitempty"`
	ErrorCode           string         `json:"errorCode,omitempty"`
	ErrorMessage        string         `json:"errorMessage,omitempty"`
	RequestParameters   map[string]any `json:"requestParameters,omitempty"`
	AdditionalEventData Additional     `json:"additionalEventData"`
	Resources           []Resource     `json:"resources,omitempty"`
	RequestID           string         `json:"requestID"`
	ReadOnly            bool           `json:"readOnly"`
	EventType           string         `json:"eventType"`
	// RecipientAccountIDs are those whose record this is: the caller's, the repository administrator's and the domain owner's.
	RecipientAccountIDs []string `json:"recipientAccountIds,omitempty"`
}

// Identity is who asked.
type Identity struct {
	Type        string `json:"type"` // Root, AssumedRole, IAMUser or Anonymous
	ARN         string `json:"arn,omitempty"`
	AccountID   string `json:"accountId,omitempty"`
	AccessKeyID string `json:"accessKeyId,omitempty"` // of a signature
	TokenID     string `json:"tokenId,omitempty"`     // of a token: its name, never itself
}

// Resource is what was asked for.
type Resource struct {
	ARN       string `json:"ARN"`
	AccountID string `json:"accountId,omitempty"`
}

// Additional is what CloudTrail has no field for.
type Additional struct {
	HTTPMethod string `json:"httpMethod"`
	RequestURI string `json:"requestUri"` // without the query
	HTTPStatus int    `json:"httpStatus,omitempty"`
	Decision   string `json:"decision,omitempty"` // which statement of which policy decided
	Bytes      int64  `json:"bytes,omitempty"`    // of the answer's body
	TookMillis int64  `json:"tookMillis"`
}

// Who describes a principal by its ARN.
func Who(arn, account string) Identity {
	id := Identity{Type: "Anonymous", ARN: arn, AccountID: account}
	switch {
	case arn == "":
	case strings.HasSuffix(arn, ":root"):
		id.Type = "Root"
	case strings.Contains(arn, ":assumed-role/"):
		id.Type = "AssumedRole"
	default:
		id.Type = "IAMUser"
	}
	return id
}

// Accounts are recipients, each once, without "".
func Accounts(list ...string) []string {
	slices.Sort(list)
	return slices.DeleteFunc(slices.Compact(list), func(a string) bool { return a == "" })
}

// Log writes entries. The zero Log, and nil, write none. It is safe for concurrent use.
type Log struct {
	mu       sync.Mutex
	out      io.Writer
	failures *slog.Logger
	reads    uint32
}

// Sampled is the rate at which reads are recorded unless somebody says otherwise: one of so many.
const Sampled = 100

// New returns a Log that writes lines to out. Of the reads of package managers one of reads is recorded: 1 all, 0 none. What cannot be
// written is told to failures: a registry whose record has no room goes on serving.
func New(out io.Writer, reads uint32, failures *slog.Logger) *Log {
	return &Log{out: out, reads: reads, failures: failures}
}

// Reads says whether this read is one to record.
func (l *Log) Reads() bool {
	return l != nil && l.reads > 0 && (l.reads == 1 || rand.Uint32N(l.reads) == 0) //nolint:gosec // a sample, no secret
}

// Enabled says whether anything is written at all.
func (l *Log) Enabled() bool { return l != nil && l.out != nil }

// maxText is how long a text of a client may be in a line, in bytes.
const maxText = 512

// Write writes one entry. Version, type and, unless it has one, source are filled in.
func (l *Log) Write(e *Entry) {
	if !l.Enabled() {
		return
	}
	e.EventVersion, e.EventType, e.EventSource = "1.08", "AwsApiCall", cmp.Or(e.EventSource, "codeartifact.amazonaws.com")
	e.EventTime = e.EventTime.UTC().Truncate(time.Millisecond)
	e.UserAgent, e.ErrorMessage = clipped(e.UserAgent), clipped(e.ErrorMessage)
	line, err := json.Marshal(e)
	if err == nil {
		l.mu.Lock()
		_, err = l.out.Write(append(line, '\n'))
		l.mu.Unlock()
	}
	if err != nil {
		l.failures.Error("audit record cannot be written", "request", e.RequestID, "error", err)
	}
}

func clipped(s string) string {
	if len(s) > maxText {
		s = strings.ToValidUTF8(s[:maxText], "") + "…"
	}
	return s
}

package plane

import (
	"io"
	"os"
)

// OpenAudit opens what audit records are written to: "-" is standard output, "" nothing (nil), else a file that is made and added to.
func OpenAudit(name string) (io.WriteCloser, error) {
	switch name {
	case "":
		return nil, nil
	case "-":
		return standardOutput{os.Stdout}, nil
	}
	return os.OpenFile(name, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
}

// standardOutput is not ours to close.
type standardOutput struct{ io.Writer }

// Close implements io.Closer.
func (standardOutput) Close() error { return nil }

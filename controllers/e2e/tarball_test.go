package e2e

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
)

// tarballOf is an npm package with nothing but its manifest. Writing into memory does not fail.
func tarballOf(name, version string) []byte {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	w := tar.NewWriter(z)
	manifest := fmt.Sprintf(`{"name":%q,"version":%q}`, name, version)
	_ = w.WriteHeader(&tar.Header{Name: "package/package.json", Mode: 0o644, Size: int64(len(manifest))})
	_, _ = w.Write([]byte(manifest))
	_ = w.Close()
	_ = z.Close()
	return out.Bytes()
}

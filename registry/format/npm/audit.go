package npm

import (
	"errors"
	"fmt"
	"net/http"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/format"
)

// Limits of an audit: a tree of fifty thousand packages is beyond any project.
const (
	maxAudit      = 16 << 20
	maxAuditNames = 50_000
)

const bulkPath = "-/npm/v1/security/advisories/bulk"

// audit answers "npm audit": {"name": ["1.0.0"]} is asked, {"name": [advisory]} or {} answered. Only if the external connection opted
// in, the question is passed on, and then only for names that it may be told (readings 1.6); the rest have no advisories.
func audit(w http.ResponseWriter, r *http.Request, repo format.Repository) error {
	body, err := readSmall(w, r, maxAudit)
	if err != nil {
		return err
	}
	asked := map[registry.PackageID][]byte{}
	var ids []registry.PackageID
	for name, versions := range members(body) {
		id, err := parseName(name)
		if err != nil || len(versions) == 0 || versions[0] != '[' {
			continue // not from any registry
		}
		if _, again := asked[id]; !again {
			ids = append(ids, id)
		}
		asked[id] = versions
		if len(ids) > maxAuditNames {
			return fmt.Errorf("%w: an audit may name at most %d packages", registry.ErrTooLarge, maxAuditNames)
		}
	}
	public, err := repo.External(r.Context(), ids)
	if err != nil {
		return err
	}
	if len(public) == 0 {
		return writeJSON(w, r, http.StatusOK, []byte("{}"))
	}
	var question object
	for _, id := range public {
		if versions, ok := asked[id]; ok {
			question.raw(fullName(id), versions)
		}
	}
	answer, err := repo.Forward(r.Context(), format.PassThrough{
		Method: http.MethodPost, Path: bulkPath, ContentType: fullType, Body: question.bytes(), Kind: "audit",
	})
	if errors.Is(err, registry.ErrNotFound) {
		return writeJSON(w, r, http.StatusOK, []byte("{}"))
	}
	if err != nil {
		return err
	}
	advisories, err := parseJSON(answer.Body)
	if err != nil || !isObject(advisories) {
		return fmt.Errorf("%w: the upstream's answer to an audit is no object", registry.ErrUnavailable)
	}
	var out object
	for name, list := range members(advisories) {
		id, err := parseName(name)
		if _, ours := asked[id]; err == nil && ours && list[0] == '[' {
			out.raw(name, list)
		}
	}
	return writeJSON(w, r, http.StatusOK, out.bytes())
}

// legacyAudit answers npm 6 and yarn 1. Their question is the whole tree, private names and all, so it never leaves.
func legacyAudit(w http.ResponseWriter, r *http.Request, repo format.Repository) error {
	if _, err := readSmall(w, r, maxAudit); err != nil {
		return err
	}
	if err := mayRead(r, repo); err != nil {
		return err
	}
	return writeJSON(w, r, http.StatusOK, []byte(`{"actions":[],"advisories":{},"muted":[],"metadata":{"vulnerabilities":`+
		`{"info":0,"low":0,"moderate":0,"high":0,"critical":0},"dependencies":0,"devDependencies":0,"optionalDependencies":0,"totalDependencies":0}}`))
}

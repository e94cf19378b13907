package generic

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/format"
)

// upload stores one file. The version is made by its first and finished by the first that does not say "unfinished".
func upload(w http.ResponseWriter, r *http.Request, repo format.Repository, a address) error {
	want, err := announced(r.Header)
	if err != nil {
		return err
	}
	first := strings.TrimSpace(r.Header.Get("If-None-Match")) == "*"
	if first {
		if err := absent(r, repo, a); err != nil {
			return refuseExisting(w, r, a, err)
		}
	}
	staged, err := repo.Stage(r.Context(), a.id, r.Body)
	if err != nil {
		return err
	}
	defer staged.Close()
	status := registry.Published
	if r.URL.Query().Has("unfinished") {
		status = registry.Unfinished
	}
	done, err := repo.Publish(r.Context(), format.Publication{
		ID: registry.VersionID{Package: a.id, Version: a.version}, Display: a.id.Name, VersionDisplay: a.version, Status: status,
		Assets: []format.NewAsset{{Name: a.asset, Staged: staged, Want: registry.Digests{SHA256: want}}},
	})
	if err != nil {
		return err
	}
	if first && !done.Created { // somebody else was first, with the same bytes
		return refuseExisting(w, r, a, errThere)
	}
	code := http.StatusOK
	if done.Created {
		code = http.StatusCreated
	}
	v, err := own(r, repo, a)
	if err != nil {
		return err
	}
	return writeJSON(w, r, code, described(v, repo.URL))
}

// errThere is why an upload that must be the first is not.
var errThere = fmt.Errorf("%w: the asset is there", registry.ErrAlreadyExists)

// absent fails with errThere if the asset exists.
func absent(r *http.Request, repo format.Reader, a address) error {
	v, err := own(r, repo, a)
	switch {
	case notFound(err):
		return nil
	case err != nil:
		return err
	case v.Asset(a.asset) != nil:
		return errThere
	}
	return nil
}

// refuseExisting answers If-None-Match: * as RFC 9110 wants; anything else is told as ever.
func refuseExisting(w http.ResponseWriter, r *http.Request, a address, err error) error {
	if err != errThere { //nolint:errorlint // it is this very one, or something else
		return err
	}
	return writeJSON(w, r, http.StatusPreconditionFailed, map[string]string{"error": "version " + a.version + " has an asset " + a.asset + " already"})
}

// announced is the SHA-256 that the request says its body has; "" if it does not say.
func announced(h http.Header) (string, error) {
	for _, name := range []string{"X-Checksum-Sha256", "X-Amz-Content-Sha256"} {
		if s := strings.ToLower(strings.TrimSpace(h.Get(name))); s != "" && s != "unsigned-payload" {
			if b, err := hex.DecodeString(s); err != nil || len(b) != 32 {
				return "", fmt.Errorf("%w: %s is no SHA-256 in hexadecimal", registry.ErrInvalid, name)
			}
			return s, nil
		}
	}
	for item := range strings.SplitSeq(h.Get("Content-Digest"), ",") { // sha-256=:base64:, RFC 9530
		algorithm, value, _ := strings.Cut(strings.TrimSpace(item), "=")
		if !strings.EqualFold(algorithm, "sha-256") {
			continue
		}
		b, err := base64.StdEncoding.DecodeString(strings.Trim(value, ":"))
		if err != nil || len(b) != 32 {
			return "", fmt.Errorf("%w: Content-Digest has no sha-256 that can be read", registry.ErrInvalid)
		}
		return hex.EncodeToString(b), nil
	}
	return "", nil
}

// finish makes an Unfinished version Published. A Published one stays so.
func finish(w http.ResponseWriter, r *http.Request, repo format.Repository, a address) error {
	v, err := own(r, repo, a)
	if err != nil {
		return err
	}
	if v.Status == registry.Unfinished {
		if err := repo.Edit(r.Context(), a.id, []format.Edit{{Version: a.version, Status: registry.Published, IfStatus: registry.Unfinished}}); err != nil {
			return err
		}
		if v, err = own(r, repo, a); err != nil {
			return err
		}
	}
	return writeJSON(w, r, http.StatusOK, described(v, repo.URL))
}

func remove(w http.ResponseWriter, r *http.Request, repo format.Repository, a address) error {
	if err := repo.Delete(r.Context(), registry.VersionID{Package: a.id, Version: a.version}); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

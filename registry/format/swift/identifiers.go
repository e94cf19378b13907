package swift

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/format"
)

// repositoryLookup registers versions under the source repositories that their metadata names.
const repositoryLookup = "repository"

// maxRepositoryURL bounds the address of a source repository, in bytes.
const maxRepositoryURL = 1024

// identifiers serves the packages of a source repository (specification, 4.5): those that the repository and its upstream repositories
// hold. An identifier that the client cannot read would spoil its whole resolution, and is left out.
func identifiers(w http.ResponseWriter, r *http.Request, repo format.Repository) error {
	at := r.URL.Query().Get("url")
	if at == "" {
		return fmt.Errorf("%w: the address has no parameter url, such as ?url=https://git.example.com/mona/LinkedList", registry.ErrInvalid)
	}
	var found []registry.VersionID
	key := repositoryKey(at)
	if key != "" {
		var err error
		if found, err = repo.Find(r.Context(), repositoryLookup, key); err != nil {
			return err
		}
	} else if _, err := repo.External(r.Context(), nil); err != nil { // asks about no packages, for the sake of the authorisation
		return err
	}
	var out struct {
		Identifiers []string `json:"identifiers"`
	}
	for _, v := range found {
		id := identifier(v.Package.Namespace, v.Package.Name)
		if isIdentifier(id) && !slices.Contains(out.Identifiers, id) {
			out.Identifiers = append(out.Identifiers, id)
		}
	}
	if len(out.Identifiers) == 0 {
		return fmt.Errorf("%w: no package here names that source repository", registry.ErrNotFound)
	}
	slices.Sort(out.Identifiers)
	body, err := json.Marshal(out)
	if err != nil {
		return fmt.Errorf("identifiers: %w", err)
	}
	write(w, r, http.StatusOK, jsonType, body)
	return nil
}

// repositoryKey makes one form of the ways in which people write the address of a source repository: host and path in lower case,
// without scheme, user, port and ".git". "" if it is none.
func repositoryKey(at string) string {
	at = strings.TrimSpace(at)
	if len(at) > maxRepositoryURL {
		return ""
	}
	if !strings.Contains(at, "://") { // git@host:path
		host, path, ok := strings.Cut(at, ":")
		if !ok || strings.Contains(host, "/") {
			return ""
		}
		at = "ssh://" + host + "/" + strings.TrimPrefix(path, "/")
	}
	u, err := url.Parse(at)
	if err != nil || u.Hostname() == "" {
		return ""
	}
	path := strings.TrimSuffix(strings.Trim(u.Path, "/"), ".git")
	if path == "" {
		return ""
	}
	return strings.ToLower(u.Hostname() + "/" + strings.TrimSuffix(path, "/"))
}

// repositoryURLs are the source repositories that metadata names.
func repositoryURLs(raw json.RawMessage) []string { return readMetadata(raw).RepositoryURLs }

package nuget

import (
	"net/http"

	"packhouse.dev/packhouse/registry/format"
)

// resource is an entry of the service index. The client looks types up as they stand here, one by one.
type resource struct {
	ID   string `json:"@id"`
	Type string `json:"@type"`
}

// resources lists what there is, with every name that a client in use may look for
// (https://github.com/NuGet/NuGet.Client, ServiceTypes.cs). Not among them: RepositorySignatures, which would have to be https and is
// asked for at each restore; "/Versioned" types, which need a client version.
func resources(url func(string) string) []resource {
	var out []resource
	add := func(path string, types ...string) {
		for _, t := range types {
			out = append(out, resource{url("v3/" + path), t})
		}
	}
	add("flatcontainer/", "PackageBaseAddress/3.0.0")
	add(hivePlain+"/", "RegistrationsBaseUrl", "RegistrationsBaseUrl/3.0.0-beta", "RegistrationsBaseUrl/3.0.0-rc")
	add(hiveGzip+"/", "RegistrationsBaseUrl/3.4.0")
	add(hiveSemVer2+"/", "RegistrationsBaseUrl/3.6.0")
	add("search", "SearchQueryService", "SearchQueryService/3.0.0-beta", "SearchQueryService/3.0.0-rc", "SearchQueryService/3.5.0")
	add("autocomplete", "SearchAutocompleteService", "SearchAutocompleteService/3.0.0-beta", "SearchAutocompleteService/3.0.0-rc", "SearchAutocompleteService/3.5.0")
	add("package", "PackagePublish/2.0.0")
	add("symbolpackage", "SymbolPackagePublish/4.9.0")
	add("flatcontainer/{lower_id}/{lower_version}/readme", "ReadmeUriTemplate/6.13.0")
	add("vulnerabilities/index.json", "VulnerabilityInfo/6.7.0")
	return out
}

// serviceIndex serves the document that clients begin with (https://learn.microsoft.com/nuget/api/service-index).
func serviceIndex(w http.ResponseWriter, r *http.Request, repo format.Repository) error {
	if _, err := repo.External(r.Context(), nil); err != nil { // nothing else here asks whether the principal may read
		return err
	}
	return writeJSON(w, r, http.StatusOK, struct {
		Version   string     `json:"version"`
		Resources []resource `json:"resources"`
	}{"3.0.0", resources(repo.URL)})
}

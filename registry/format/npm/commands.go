package npm

import (
	"fmt"
	"net/http"

	"packhouse.dev/packhouse/registry"
)

// refusal is the sentence for a command of the guide's table "Unsupported commands": what to do instead (readings 1.14).
func refusal(command string) string {
	switch command {
	case "access":
		return "npm access: who may read and publish is decided by RepositoryPolicy, DomainPolicy and IdentityPolicy resources"
	case "adduser", "login":
		return `npm login: get a token with "packhouse login npm" or "aws codeartifact login --tool npm"`
	case "hook":
		return "npm hook: declare an EventSink resource to be told of new versions"
	case "logout":
		return `npm logout: tokens expire by themselves; remove yours with "npm config delete" of the line that ends with :_authToken`
	case "owner":
		return "npm owner: who may publish is decided by RepositoryPolicy, DomainPolicy and IdentityPolicy resources"
	case "profile":
		return "npm profile: users are those of the cluster and of its IdentityProvider resources; change them there"
	case "star", "unstar", "stars":
		return `npm star and npm stars: there are no favourites; find packages with "npm search" or "aws codeartifact list-packages"`
	case "team", "org":
		return "npm team: groups are those of the cluster and of its IdentityProvider resources; grant them permissions with IdentityPolicy resources"
	case "token":
		return `npm token: get tokens with "packhouse token" or "aws codeartifact get-authorization-token", or declare an AccessToken resource`
	case "unpublish":
		return `npm unpublish: delete versions with "aws codeartifact delete-package-versions", or hide them with "aws codeartifact update-package-versions-status"`
	}
	return "npm " + registry.Clip(command)
}

// refuse is the error for a command. Clients that say which command they run (npm does) are believed if the table has it.
func refuse(r *http.Request, command string) error {
	if said := r.Header.Get("Npm-Command"); said != "" && refusal(said) != "npm "+registry.Clip(said) {
		command = said
	}
	return fmt.Errorf("%w: %s", registry.ErrUnsupported, refusal(command))
}

// refuseCommand answers the addresses that only unsupported commands use.
func refuseCommand(r *http.Request, command string) error {
	if command == "user" { // CouchDB's users: "npm owner" looks them up, "npm login" writes them
		command = "login"
		if r.Method == http.MethodGet {
			command = "owner"
		}
	}
	return refuse(r, command)
}

// refuseRevision answers writes to a CouchDB revision: "npm unpublish", and "npm owner" of which only the header tells.
func refuseRevision(r *http.Request) error {
	if r.Method != http.MethodPut && r.Method != http.MethodDelete {
		return fmt.Errorf("%w: no such address", registry.ErrNotFound)
	}
	return refuse(r, "unpublish")
}

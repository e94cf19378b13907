package main

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"packhouse.dev/packhouse/cmd/internal/cluster"
	"packhouse.dev/packhouse/registry/admin"
)

// chooseEndpoint is the base address that clients get: the one that was said, or the registry's first that they can reach.
func (l *login) chooseEndpoint(at *found, st *admin.Status) (string, error) {
	switch {
	case l.endpoint != "":
		return l.endpoint, nil
	case at.cluster != nil:
		if e := outside(at.registry.Status.Endpoints); e != "" {
			return e, nil
		}
		return "", fmt.Errorf(`the Registry %s/%s has no address that clients outside its cluster reach. Run "%s port-forward %s" in another terminal and log in with the --endpoint that it prints; or give the Registry such an address in spec.endpoints`,
			at.registry.Namespace, at.registry.Name, l.program.name, l.again(at))
	case len(st.Endpoints) > 0:
		return st.Endpoints[0], nil
	}
	return "", errors.New("the registry has no address of its own; say --endpoint")
}

// outside is the first address that is reached from here: names of Services mean something in a cluster only, and a wildcard is not an
// address yet.
func outside(endpoints []string) string {
	i := slices.IndexFunc(endpoints, func(e string) bool {
		u, err := url.Parse(e)
		if err != nil || u.Host == "" || strings.HasPrefix(u.Host, "*") {
			return false
		}
		name := strings.TrimSuffix(u.Hostname(), ".") + "."
		return cluster.InPod() || !strings.Contains(name, ".svc.")
	})
	if i < 0 {
		return ""
	}
	return endpoints[i]
}

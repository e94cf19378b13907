package main

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	api "packhouse.dev/packhouse/api/v1alpha1"
	"packhouse.dev/packhouse/cmd/internal/cluster"
	"packhouse.dev/packhouse/controllers/build"
	"packhouse.dev/packhouse/registry/admin"
)

// chooseEndpoint is the base address that clients get: the one that was said, or the registry's first that they can reach.
func (l *login) chooseEndpoint(at *found, st *admin.Status) (string, error) {
	switch {
	case l.endpoint != "":
		return l.endpoint, nil
	case at.cluster != nil:
		if e := reachable(at.registry, cluster.InPod()); e != "" {
			return e, nil
		}
		return "", fmt.Errorf(`the Registry %s/%s has no address that clients outside its cluster reach. Run "%s port-forward %s" in another terminal and log in with the --endpoint that it prints; or give the Registry such an address in spec.endpoints`,
			at.registry.Namespace, at.registry.Name, l.program.name, l.again(at))
	case len(st.Endpoints) > 0:
		return st.Endpoints[0], nil
	}
	return "", errors.New("the registry has no address of its own; say --endpoint")
}

// reachable is the first address in a Registry's status that is reached from here, "" if none is. What is declared comes first there, and
// from the first name of the Service on there are addresses that mean something in the cluster only. A wildcard is no address yet.
func reachable(r *api.Registry, inCluster bool) string {
	service := build.NamesOf(r.Name).Workload + "." + r.Namespace + "."
	for _, e := range r.Status.Endpoints {
		u, err := url.Parse(e)
		if err != nil || u.Host == "" || strings.HasPrefix(u.Host, "*") {
			continue
		}
		if !inCluster && strings.HasPrefix(u.Hostname()+".", service) {
			return ""
		}
		return e
	}
	return ""
}

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	api "packhouse.dev/packhouse/api/v1alpha1"
	"packhouse.dev/packhouse/cmd/internal/cluster"
	"packhouse.dev/packhouse/registry/admin"
)

// defaultDataDir is where "packhouse dev" keeps everything, relative to the folder that it runs in.
const defaultDataDir = "packhouse-data"

// The flags that mean a registry in a cluster.
const (
	flagRegistry   = "registry"
	flagNamespace  = "namespace"
	flagKubeconfig = "kubeconfig"
	flagContext    = "context"

	flagDataDir = "data-dir"
)

func dataDir() string {
	return cmp.Or(os.Getenv("PACKHOUSE_DATA_DIR"), defaultDataDir)
}

// target says which registry a command means: one on this machine, by its data directory, or one in a cluster.
type target struct {
	program    *program
	dataDir    string
	registry   string // name of the Registry
	kubeconfig string
	context    string
	namespace  string
	local      bool // the data directory was said, so that no cluster is meant
}

// flags of commands that also reach a registry on this machine.
func (t *target) flags(c *cobra.Command) {
	c.Flags().StringVar(&t.dataDir, flagDataDir, dataDir(), "data directory of a registry that runs on this machine; also PACKHOUSE_DATA_DIR")
	t.clusterFlags(c)
}

func (t *target) clusterFlags(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&t.registry, flagRegistry, "", "`NAME` of a Registry in a cluster (default: the only one of the namespace)")
	f.StringVarP(&t.namespace, flagNamespace, "n", "", "namespace of the Registry (default: that of the kubeconfig's context)")
	f.StringVar(&t.kubeconfig, flagKubeconfig, "", "`PATH` of the kubeconfig (default: as kubectl finds it)")
	f.StringVar(&t.context, flagContext, "", "context of the kubeconfig (default: the current one)")
}

// domainFlags say which domain a command is about.
func domainFlags(c *cobra.Command, domain, owner *string) {
	c.Flags().StringVar(domain, "domain", "", "domain (default: the only one)")
	c.Flags().StringVar(owner, "domain-owner", "", "account id of the domain's owner, if several have a domain of that name")
}

// found is a registry that was found.
type found struct {
	admin    *admin.Client
	cluster  *cluster.Cluster // nil: it runs on this machine
	registry *api.Registry    // nil without a cluster
}

// do runs fn with the registry that is meant, and explains what went wrong.
func (t *target) do(c *cobra.Command, fn func(ctx context.Context, at *found) error) error {
	at, err := t.open(c)
	if err == nil {
		err = fn(c.Context(), at)
	}
	return t.explain(err)
}

// open finds the registry that is meant. One on this machine need not run.
func (t *target) open(c *cobra.Command) (*found, error) {
	in, err := t.inCluster(c)
	if err != nil {
		return nil, err
	}
	if !in {
		return &found{admin: admin.OpenDir(t.dataDir)}, nil
	}
	p, err := t.find(c.Context())
	if err != nil {
		return nil, err
	}
	if p.admin, err = p.cluster.Admin(c.Context(), p.registry); err != nil {
		return nil, err
	}
	return p, nil
}

// find finds the Registry in the cluster, without its admin API.
func (t *target) find(ctx context.Context) (*found, error) {
	k, err := t.program.cluster(cluster.Options{Kubeconfig: t.kubeconfig, Context: t.context, Namespace: t.namespace})
	if err != nil {
		return nil, err
	}
	r, err := k.Registry(ctx, t.registry)
	if err != nil {
		return nil, err
	}
	return &found{cluster: k, registry: r}, nil
}

// inCluster tells whether a registry in a cluster is meant: any of its flags says so, and being kubectl's plugin does.
func (t *target) inCluster(c *cobra.Command) (bool, error) {
	in := false
	t.local = c.Flags().Changed(flagDataDir)
	for _, name := range []string{flagRegistry, flagNamespace, flagKubeconfig, flagContext} {
		if !c.Flags().Changed(name) {
			continue
		}
		if in = true; t.local {
			return false, fmt.Errorf("--%s is for a registry in a cluster, --%s for one on this machine: say one of them", name, flagDataDir)
		}
	}
	return in || t.program.plugin() && !t.local, nil
}

// again are the flags that mean the same registry in a cluster, as one would type them.
func (t *target) again(p *found) string {
	words := []string{"--" + flagRegistry, p.registry.Name, "-n", p.registry.Namespace}
	if t.kubeconfig != "" {
		words = append(words, "--"+flagKubeconfig, quoted(t.kubeconfig))
	}
	if t.context != "" {
		words = append(words, "--"+flagContext, quoted(t.context))
	}
	return strings.Join(words, " ")
}

// explain says what to do about an error.
func (t *target) explain(err error) error {
	if p, ok := errors.AsType[*cluster.Problem](err); ok {
		return p // it tells everything; what is around it says where in the program
	}
	if !errors.Is(err, admin.ErrNotRunning) {
		return err
	}
	text := fmt.Sprintf("no registry runs in %s: start one with %q, or name its --%s", t.dataDir, t.program.name+" dev --data-dir "+t.dataDir, flagDataDir)
	if t.local {
		return errors.New(text)
	}
	switch kubeContext, ok := t.program.configured(); {
	case ok && kubeContext != "":
		text += fmt.Sprintf("; for one in the cluster of your kubeconfig's context %q say --%s NAME and -n NAMESPACE", kubeContext, flagRegistry)
	case ok:
		text += fmt.Sprintf("; for one in this cluster say --%s NAME and -n NAMESPACE", flagRegistry)
	}
	return errors.New(text)
}

package main

import (
	"path/filepath"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"packhouse.dev/packhouse/cmd/internal/cluster"
)

// Names of this program. Under the second, in PATH, it is a plugin of kubectl.
const (
	programName = "packhouse"
	pluginFile  = "kubectl-packhouse"
	pluginName  = "kubectl packhouse"
)

// program is how this program was called, and what it reaches that tests replace.
type program struct {
	name       string // as one types it
	cluster    func(cluster.Options) (*cluster.Cluster, error)
	configured func() (kubeContext string, ok bool)
}

// newProgram takes the path that the program was called by.
func newProgram(path string) *program {
	p := &program{name: programName, cluster: cluster.Open, configured: cluster.Configured}
	if strings.TrimSuffix(filepath.Base(path), ".exe") == pluginFile {
		p.name = pluginName
	}
	return p
}

func (p *program) plugin() bool { return p.name == pluginName }

// rename puts the name into texts that call commands by the plain one.
func (p *program) rename(root *cobra.Command) {
	if p.name == root.Name() {
		return
	}
	root.Annotations = map[string]string{cobra.CommandDisplayNameAnnotation: p.name}
	all := root.Commands()
	names := make([]string, len(all))
	for i, c := range all {
		names[i] = regexp.QuoteMeta(c.Name())
	}
	call := regexp.MustCompile(`\b` + root.Name() + ` (` + strings.Join(names, "|") + `)\b`)
	for _, c := range append(all, root) {
		for _, text := range []*string{&c.Short, &c.Long, &c.Example} {
			*text = call.ReplaceAllString(*text, p.name+" $1")
		}
	}
}

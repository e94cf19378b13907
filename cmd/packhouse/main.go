// Command packhouse runs the registry on this machine, administers it there and in clusters, and points clients at it. Called
// kubectl-packhouse it is a plugin of kubectl.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// version is set by the linker.
var version = "dev"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := newProgram(os.Args[0]).root().ExecuteContext(ctx)
	stop()
	if err != nil {
		if !errors.Is(err, errSaid) {
			fmt.Fprintln(os.Stderr, programName+":", err)
		}
		os.Exit(1)
	}
}

// errSaid ends the command with a status after everything there is to say was printed.
var errSaid = errors.New("failed")

func (p *program) root() *cobra.Command {
	c := &cobra.Command{
		Use:   programName,
		Short: "A package registry that YAML files declare",
		Long: `packhouse runs a package registry on this machine, with the same manifests that a cluster takes, and
points npm, pnpm and Yarn at it.

Start with "packhouse dev", then "packhouse login npm" in another terminal. For a registry in a cluster, login, token, why, status,
revoke and gc take --registry and --namespace, and go through your kubeconfig.`,
		SilenceUsage: true, SilenceErrors: true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
	}
	c.AddCommand(devCommand(), loginCommand(p), portForwardCommand(p), tokenCommand(p), whyCommand(p), statusCommand(p), revokeCommand(p), collectCommand(p), versionCommand())
	p.rename(c)
	return c
}

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		Run: func(c *cobra.Command, _ []string) { fmt.Fprintln(c.OutOrStdout(), version) },
	}
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"packhouse.dev/packhouse/registry/admin"
	"packhouse.dev/packhouse/registry/auth"
	"packhouse.dev/packhouse/registry/config"
)

// defaultDataDir is where "packhouse dev" keeps everything, relative to the folder that it runs in.
const defaultDataDir = "packhouse-data"

// target says which registry a command means.
type target struct {
	dataDir string
	domain  string
	owner   string
}

func (t *target) flags(c *cobra.Command) {
	c.Flags().StringVar(&t.dataDir, "data-dir", dataDir(), "data directory of the running registry; also PACKHOUSE_DATA_DIR")
	c.Flags().StringVar(&t.domain, "domain", "", "domain (default: the only one)")
	c.Flags().StringVar(&t.owner, "domain-owner", "", "account id of the domain's owner, if several have a domain of that name")
}

func dataDir() string {
	if dir := os.Getenv("PACKHOUSE_DATA_DIR"); dir != "" {
		return dir
	}
	return defaultDataDir
}

// explain says what to do when no registry runs there.
func (t *target) explain(err error) error {
	if errors.Is(err, admin.ErrNotRunning) {
		return fmt.Errorf("no registry runs in %s: start one with \"packhouse dev --data-dir %s\", or name its --data-dir", t.dataDir, t.dataDir)
	}
	return err
}

func tokenCommand() *cobra.Command {
	var t target
	var duration time.Duration
	c := &cobra.Command{
		Use: "token", Short: "Print a token for a domain", Args: cobra.NoArgs,
		Long: `Print a token of the root of the account that owns a domain. It is for that domain alone and lives 15 minutes to
12 hours. Nothing else is printed, so that it can be put into a variable.`,
		Example: `  export PACKHOUSE_TOKEN=$(packhouse token)
  curl -H "Authorization: Bearer $(packhouse token --duration 15m)" http://127.0.0.1:8080/my-domain-111122223333/npm/my-repo/express`,
		RunE: func(c *cobra.Command, _ []string) error {
			tok, err := admin.OpenDir(t.dataDir).Token(c.Context(), admin.TokenRequest{Domain: t.domain, Owner: t.owner, Duration: config.Duration(duration)})
			if err != nil {
				return t.explain(err)
			}
			_, err = fmt.Fprintln(c.OutOrStdout(), tok.Token)
			return err
		},
	}
	t.flags(c)
	c.Flags().DurationVar(&duration, "duration", auth.MaxLifetime, "how long the token lives: 15m to 12h")
	return c
}

func statusCommand() *cobra.Command {
	var t target
	c := &cobra.Command{
		Use: "status", Short: "Print what the running registry serves", Args: cobra.NoArgs,
		Example: "  packhouse status",
		RunE: func(c *cobra.Command, _ []string) error {
			st, err := admin.OpenDir(t.dataDir).Status(c.Context())
			if err != nil {
				return t.explain(err)
			}
			return printStatus(c.OutOrStdout(), st)
		},
	}
	c.Flags().StringVar(&t.dataDir, "data-dir", dataDir(), "data directory of the running registry; also PACKHOUSE_DATA_DIR")
	return c
}

func printStatus(w io.Writer, st *admin.Status) error {
	ready := "ready"
	if !st.Ready {
		ready = "not ready"
	}
	fmt.Fprintf(w, "packhouse %s, %s since %s\n", st.Version, ready, st.StartedAt.Local().Format(time.DateTime))
	for _, e := range st.Endpoints {
		fmt.Fprintf(w, "endpoint %s\n", e)
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "DOMAIN\tOWNER\tSTATE\tGENERATION\tREPOSITORIES")
	for _, d := range st.Domains {
		fmt.Fprintf(tw, "%s\t%s\t%s\t%d\t%s\n", d.Name, d.Owner, d.State, d.Generation, strings.Join(d.Repositories, " "))
	}
	return tw.Flush()
}

func revokeCommand() *cobra.Command {
	var t target
	c := &cobra.Command{
		Use: "revoke {domain | token ID | principal ARN | source NAME}", Short: "End tokens of a domain that were issued before now",
		Long:    "End tokens of a domain that were issued before now. The next request with one of them is refused.",
		Example: "  packhouse revoke domain\n  packhouse revoke principal arn:aws:iam::111122223333:root --domain my-domain",
		Args:    cobra.RangeArgs(1, 2),
		RunE: func(c *cobra.Command, args []string) error {
			q := admin.Revocation{Domain: t.domain, Owner: t.owner, Kind: args[0]}
			if len(args) == 2 {
				q.Value = args[1]
			}
			return t.explain(admin.OpenDir(t.dataDir).Revoke(c.Context(), q))
		},
	}
	t.flags(c)
	return c
}

func collectCommand() *cobra.Command {
	var t target
	var grace time.Duration
	c := &cobra.Command{
		Use: "gc", Short: "Delete bytes that nothing refers to, now", Args: cobra.NoArgs,
		Long: `Delete bytes that nothing refers to, now. A running registry does so by itself in the background; this is for those who
do not want to wait. It is safe at any time, also with --grace 0s during publishes.`,
		Example: "  packhouse gc\n  packhouse gc --grace 0s",
		RunE: func(c *cobra.Command, _ []string) error {
			got, err := collect(c.Context(), &t, grace)
			if err != nil {
				return t.explain(err)
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "%d unused blobs were found, %d removed, %d left over from uploads; %d objects were deleted\n", got.Condemned, got.Swept, got.Orphans, got.Deleted)
			return err
		},
	}
	c.Flags().StringVar(&t.dataDir, "data-dir", dataDir(), "data directory of the running registry; also PACKHOUSE_DATA_DIR")
	c.Flags().DurationVar(&grace, "grace", -1, "how long bytes must have been unused (default: as the registry does by itself)")
	return c
}

func collect(ctx context.Context, t *target, grace time.Duration) (*admin.Collected, error) {
	return admin.OpenDir(t.dataDir).Collect(ctx, admin.CollectRequest{Grace: config.Duration(grace)})
}

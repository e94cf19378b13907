package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/admin"
	"packhouse.dev/packhouse/registry/auth"
	"packhouse.dev/packhouse/registry/config"
)

func tokenCommand(p *program) *cobra.Command {
	t := target{program: p}
	var q admin.TokenRequest
	var duration time.Duration
	var foreign exchange
	var endpoint string
	c := &cobra.Command{
		Use: "token", Short: "Print a token for a domain", Args: cobra.NoArgs,
		Long: `Print a token for a domain. It is for that domain alone and lives 15 minutes to 12 hours. Nothing else is printed, so
that it can be put into a variable.

It is a token of the root of the account that owns the domain, or, with --as, of anybody: what it may do is what policies
say of its principal, so that they can be tried. Administrators may have it whatever policies say.

With --` + identityFlag + ` it is in exchange for a token of a service account, or of another issuer that an IdentityProvider knows, for
who may have one by policies.`,
		Example: `  export PACKHOUSE_TOKEN=$(packhouse token)
  export PACKHOUSE_TOKEN=$(packhouse token --as serviceaccount:team-b/ci)
  export PACKHOUSE_TOKEN=$(packhouse token --registry default -n packhouse --domain my-domain)    # of a registry in a cluster
  curl -H "Authorization: Bearer $(packhouse token --duration 15m)" http://127.0.0.1:8080/my-domain-111122223333/npm/my-repo/express
  packhouse token --identity-token /var/run/secrets/packhouse/token --endpoint https://packages.example.com --domain my-domain --domain-owner 111122223333`,
		RunE: func(c *cobra.Command, _ []string) error {
			q.Duration = config.Duration(duration)
			if endpoint != "" && foreign.file == "" {
				return errors.New("--endpoint is for --" + identityFlag)
			}
			ref := registry.DomainRef{Owner: q.Owner, Name: q.Domain}
			if err := foreign.named(endpoint, ref); err != nil {
				return err
			}
			if foreign.file != "" {
				return printExchanged(c, &t, &foreign, &q, endpoint)
			}
			return t.do(c, func(ctx context.Context, at *found) error {
				tok, err := at.admin.Token(ctx, q)
				if err != nil {
					return err
				}
				_, err = fmt.Fprintln(c.OutOrStdout(), tok.Token)
				return err
			})
		},
	}
	t.flags(c)
	domainFlags(c, &q.Domain, &q.Owner)
	c.Flags().StringVar(&q.As, "as", "", "whose token it is: serviceaccount:`NAMESPACE/NAME`, role:NAME, user:NAME or an ARN (default: the root of the domain's account)")
	c.Flags().StringArrayVar(&q.Groups, "group", nil, "a `GROUP` that the principal is in, as an identity provider would tell; may be repeated")
	c.Flags().DurationVar(&duration, "duration", auth.MaxLifetime, "how long the token lives: 15m to 12h")
	foreign.flags(c)
	c.Flags().StringVar(&endpoint, "endpoint", "", "base address of the registry, for --"+identityFlag)
	return c
}

// printExchanged prints a token in exchange for one of another issuer.
func printExchanged(c *cobra.Command, t *target, e *exchange, q *admin.TokenRequest, endpoint string) error {
	if in, err := t.inCluster(c); err != nil || in || t.local {
		return errors.Join(err, errNotLocal)
	}
	if q.As != "" || len(q.Groups) > 0 {
		return errors.New("--as and --group are for administrators: with --" + identityFlag + " the token says whose it is")
	}
	value, _, err := e.token(c.Context(), c.InOrStdin(), endpoint, registry.DomainRef{Owner: q.Owner, Name: q.Domain}, time.Duration(q.Duration))
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(c.OutOrStdout(), value)
	return err
}

func statusCommand(p *program) *cobra.Command {
	t := target{program: p}
	c := &cobra.Command{
		Use: "status", Short: "Print what the running registry serves", Args: cobra.NoArgs,
		Example: "  packhouse status\n  packhouse status --registry default -n packhouse",
		RunE: func(c *cobra.Command, _ []string) error {
			return t.do(c, func(ctx context.Context, at *found) error {
				st, err := at.admin.Status(ctx)
				if err != nil {
					return err
				}
				return printStatus(c.OutOrStdout(), st)
			})
		},
	}
	t.flags(c)
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

func revokeCommand(p *program) *cobra.Command {
	t := target{program: p}
	var q admin.Revocation
	c := &cobra.Command{
		Use: "revoke {domain | token ID | principal ARN | source NAME}", Short: "End tokens of a domain that were issued before now",
		Long:    "End tokens of a domain that were issued before now. The next request with one of them is refused.",
		Example: "  packhouse revoke domain\n  packhouse revoke principal arn:aws:iam::111122223333:root --domain my-domain",
		Args:    cobra.RangeArgs(1, 2),
		RunE: func(c *cobra.Command, args []string) error {
			if q.Kind = args[0]; len(args) == 2 {
				q.Value = args[1]
			}
			return t.do(c, func(ctx context.Context, at *found) error { return at.admin.Revoke(ctx, q) })
		},
	}
	t.flags(c)
	domainFlags(c, &q.Domain, &q.Owner)
	return c
}

func collectCommand(p *program) *cobra.Command {
	t := target{program: p}
	var grace time.Duration
	c := &cobra.Command{
		Use: "gc", Short: "Delete bytes that nothing refers to, now", Args: cobra.NoArgs,
		Long: `Delete bytes that nothing refers to, now. A running registry does so by itself in the background; this is for those who
do not want to wait. It is safe at any time, also with --grace 0s during publishes.`,
		Example: "  packhouse gc\n  packhouse gc --grace 0s",
		RunE: func(c *cobra.Command, _ []string) error {
			return t.do(c, func(ctx context.Context, at *found) error {
				got, err := at.admin.Collect(ctx, admin.CollectRequest{Grace: config.Duration(grace)})
				if err != nil {
					return err
				}
				_, err = fmt.Fprintf(c.OutOrStdout(), "%d package versions of removed repositories were cleared; %d unused blobs were found, %d removed, %d left over from uploads; %d objects were deleted\n",
					got.Cleared, got.Condemned, got.Swept, got.Orphans, got.Deleted)
				return err
			})
		},
	}
	t.flags(c)
	c.Flags().DurationVar(&grace, "grace", -1, "how long bytes must have been unused (default: as the registry does by itself)")
	return c
}

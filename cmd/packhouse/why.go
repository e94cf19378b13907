package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"packhouse.dev/packhouse/registry/admin"
)

func whyCommand(p *program) *cobra.Command {
	t := target{program: p}
	var q admin.PermissionRequest
	c := &cobra.Command{
		Use: "why PRINCIPAL ACTION RESOURCE", Short: "Explain who may do what, and where packages come from",
		Long: `Explain whether somebody may do something: which statement of which policy decides, and what became of all others. Or, with
"packhouse why package", where a package comes from: which places are searched in what order, and what keeps it out.

PRINCIPAL is serviceaccount:NAMESPACE/NAME, role:NAME, user:NAME, root or an ARN; ACTION one of the permissions reference;
RESOURCE is DOMAIN, DOMAIN/REPOSITORY, DOMAIN/REPOSITORY/FORMAT/NAMESPACE/NAME (the namespace may be empty), * or an ARN.`,
		Example: `  packhouse why serviceaccount:team-b/ci ReadFromRepository my-domain/my-repo
  packhouse why user:bob PublishPackageVersion my-domain/my-repo/npm/acme/tool --source-ip 10.1.2.3
  packhouse why package @acme/tool@1.0.0 --format npm --repository my-repo`,
		Args: cobra.ExactArgs(3),
		RunE: func(c *cobra.Command, args []string) error {
			q.Principal, q.Action, q.Resource = args[0], args[1], args[2]
			return t.do(c, func(ctx context.Context, at *found) error {
				got, err := at.admin.WhyPermission(ctx, q)
				if err != nil {
					return err
				}
				return printPermission(c.OutOrStdout(), got)
			})
		},
	}
	t.flags(c)
	domainFlags(c, &q.Domain, &q.Owner)
	c.Flags().StringArrayVar(&q.Groups, "group", nil, "a `GROUP` that the principal is in; may be repeated")
	c.Flags().StringVar(&q.SourceIP, "source-ip", "", "`ADDRESS` that the request comes from, for conditions on it")
	c.Flags().BoolVar(&q.Insecure, "insecure", false, "the request comes without TLS, for conditions on that")
	c.AddCommand(whyPackageCommand(p))
	return c
}

func printPermission(w io.Writer, p *admin.Permission) error {
	answer := "No"
	if p.Allowed {
		answer = "Yes"
	}
	fmt.Fprintf(w, "%s: %s.\n\n", answer, p.Reason)
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(tw, "principal\t%s\naction\t%s\nresource\t%s\n", p.Principal, p.Action, p.Resource)
	if err := tw.Flush(); err != nil {
		return err
	}
	if p.Volatile {
		fmt.Fprintln(w, "\nFor a request from another address, at another time or with other tags it could be otherwise.")
	}
	if len(p.Statements) == 0 {
		_, err := fmt.Fprintln(w, "\nNo policy is attached to the principal, the domain or the repository.")
		return err
	}
	fmt.Fprintln(tw, "\n\tPOLICY\tSTATEMENT\tEFFECT\tOUTCOME")
	for _, s := range p.Statements {
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\n", mark(s.Decides), s.Policy, s.Name, s.Effect, s.Outcome)
	}
	return tw.Flush()
}

// mark is put before the line that decides.
func mark(decides bool) string {
	if decides {
		return "→"
	}
	return ""
}

func whyPackageCommand(p *program) *cobra.Command {
	t := target{program: p}
	var q admin.PackageRequest
	c := &cobra.Command{
		Use: "package NAME[@VERSION]", Short: "Explain where a package comes from, and what keeps it out",
		Long: `Explain where a package comes from: the places that are searched for it in their order, which one decides, and which
origin control or package group keeps others from being asked. Upstreams are asked as for a client.`,
		Example: `  packhouse why package @acme/tool@1.0.0 --format npm --repository my-repo
  packhouse why package requests --format pypi --repository my-repo
  packhouse why package org.acme:tool@1.0 --format maven --repository my-repo`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			q.Namespace, q.Name, q.Version = coordinates(q.Namespace, args[0])
			return t.do(c, func(ctx context.Context, at *found) error {
				got, err := at.admin.WhyPackage(ctx, q)
				if err != nil {
					return err
				}
				return printTrace(c.OutOrStdout(), got)
			})
		},
	}
	t.flags(c)
	domainFlags(c, &q.Domain, &q.Owner)
	f := c.Flags()
	f.StringVar(&q.Format, "format", "npm", "package format")
	f.StringVar(&q.Repository, "repository", "", "repository that is read")
	f.StringVar(&q.Namespace, "package-namespace", "", "namespace of the package: scope or group id; also @SCOPE/NAME and GROUP:NAME")
	_ = c.MarkFlagRequired("repository") // the flag is there
	return c
}

// coordinates reads NAME, @SCOPE/NAME or GROUP:NAME, each with @VERSION behind it or without.
func coordinates(namespace, text string) (ns, name, version string) {
	name = text
	if at := strings.LastIndexByte(text, '@'); at > 0 {
		name, version = text[:at], text[at+1:]
	}
	if scope, rest, ok := strings.Cut(name, "/"); ok && namespace == "" && strings.HasPrefix(scope, "@") {
		return scope[1:], rest, version
	}
	if group, rest, ok := strings.Cut(name, ":"); ok && namespace == "" {
		return group, rest, version
	}
	return namespace, name, version
}

func printTrace(w io.Writer, t *admin.PackageTrace) error {
	what := t.Package
	if t.Version != "" {
		what += "@" + t.Version
	}
	fmt.Fprintf(w, "%s through repository %s\n", what, t.Repository)
	if t.Result != "" {
		fmt.Fprintf(w, "%s\n", t.Result)
	}
	match := ""
	if !t.Strong {
		match = ", as a variation: no new version comes in by any way"
	}
	fmt.Fprintf(w, "\npackage group  %s%s\npublishing     %s\n\n", t.Group, match, t.Publish)
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "\tPLACE\tASKED\t")
	for _, p := range t.Places {
		place, asked := p.Repository, "no"
		if p.Connection != "" {
			place += " → " + p.Connection
		}
		if p.Asked {
			asked = "yes"
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\n", mark(p.Decides), place, asked, p.Note)
	}
	return tw.Flush()
}

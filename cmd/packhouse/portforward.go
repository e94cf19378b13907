package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"syscall"

	"github.com/spf13/cobra"

	"packhouse.dev/packhouse/cmd/internal/cluster"
	"packhouse.dev/packhouse/controllers/build"
)

// defaultPort is where "packhouse port-forward" listens if it is free.
const defaultPort = 8080

// portForward is one run of the command.
type portForward struct {
	target
	port int // -1: defaultPort, or any
}

func portForwardCommand(p *program) *cobra.Command {
	f := portForward{target: target{program: p}}
	c := &cobra.Command{
		Use: "port-forward", Short: "Reach the packages of a registry in a cluster from this machine", Args: cobra.NoArgs,
		Long: `Forward a port of this machine to the packages of a registry in a cluster, until it is interrupted. It goes on when pods
restart: connections wait for one that is ready. Only this machine can connect; clients still need a token.

The first line of the output is the base address for clients.`,
		Example: `  packhouse port-forward --registry default -n packhouse
  packhouse login npm --registry default -n packhouse --endpoint http://127.0.0.1:8080 --repository my-repo`,
		RunE: func(c *cobra.Command, _ []string) error { return f.explain(f.run(c)) },
	}
	f.clusterFlags(c)
	c.Flags().IntVar(&f.port, "port", -1, fmt.Sprintf("port of this machine; 0: any that is free (default: %d, or any if it is taken)", defaultPort))
	return c
}

func (f *portForward) run(c *cobra.Command) error {
	at, err := f.find(c.Context())
	if err != nil {
		return err
	}
	dial := func(ctx context.Context) (net.Conn, error) {
		return at.cluster.Dial(ctx, at.registry, build.PortPackages)
	}
	probe, err := dial(c.Context()) // what is not allowed is told now, not to the first client
	if err != nil {
		return err
	}
	if err := probe.Close(); err != nil {
		return fmt.Errorf("close the first connection: %w", err)
	}
	l, err := listenLocal(f.port)
	if err != nil {
		return err
	}
	defer l.Close()
	base := "http://" + l.Addr().String()
	fmt.Fprintln(c.OutOrStdout(), base)
	fmt.Fprintf(c.ErrOrStderr(), "It leads to Registry %s/%s until you interrupt this. Next, in another terminal:\n\n  %s login npm %s --endpoint %s\n\n",
		at.registry.Namespace, at.registry.Name, f.program.name, f.again(at), base)
	forward := &cluster.Forward{Dial: dial, Say: func(text string) { fmt.Fprintln(c.ErrOrStderr(), text) }}
	return forward.Serve(c.Context(), l)
}

// listenLocal listens on a port of this machine, for this machine alone.
func listenLocal(port int) (net.Listener, error) {
	want := port
	if port < 0 {
		want = defaultPort
	}
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(want)))
	if port < 0 && errors.Is(err, syscall.EADDRINUSE) {
		l, err = net.Listen("tcp", "127.0.0.1:0")
	}
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("port %d is taken; say another --port, or 0 for any that is free", want)
	}
	return l, err
}

// Command registry is the data plane as a server. Its configuration comes over the admin API and is kept in its database, so it
// restarts and serves whatever became of whoever configured it.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"packhouse.dev/packhouse/cmd/internal/plane"
)

// version is set by the linker.
var version = "dev"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := command().ExecuteContext(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "registry:", err)
		os.Exit(1)
	}
}

type flags struct {
	listen, metrics, dataDir, database string
	accessLog, verbose                 bool
}

func command() *cobra.Command {
	var f flags
	c := &cobra.Command{
		Use: "registry", Short: "Serve packages", Version: version, Args: cobra.NoArgs,
		Long: `Serve packages to npm and other clients. What is served is declared over the admin API, on the socket admin.sock in the
data directory, and kept in the database.`,
		Example: `  registry --data-dir /var/lib/packhouse
  registry --data-dir /var/lib/packhouse --database-file /etc/packhouse/database --listen :8443`,
		SilenceUsage: true, SilenceErrors: true,
		RunE: func(c *cobra.Command, _ []string) error { return f.run(c.Context(), c.ErrOrStderr()) },
	}
	fl := c.Flags()
	fl.StringVar(&f.listen, "listen", ":8080", "address to serve packages on")
	fl.StringVar(&f.metrics, "metrics-listen", ":9090", "address for /metrics, /-/healthz and /-/readyz; empty: none")
	fl.StringVar(&f.dataDir, "data-dir", "/var/lib/packhouse", "folder for bytes, the sealing key and, without --database-file, metadata")
	fl.StringVar(&f.database, "database-file", "", "file with the connection string of a PostgreSQL database")
	fl.BoolVar(&f.accessLog, "access-log", false, "log every request, also reads")
	fl.BoolVarP(&f.verbose, "verbose", "v", false, "log more")
	return c
}

func (f *flags) run(ctx context.Context, stderr io.Writer) (err error) {
	level := slog.LevelInfo
	if f.verbose {
		level = slog.LevelDebug
	}
	log := slog.New(slog.NewJSONHandler(stderr, &slog.HandlerOptions{Level: level}))
	opt := plane.Options{DataDir: f.dataDir, Version: version, Logger: log, AccessLog: f.accessLog}
	if f.database != "" {
		// In a file, because arguments and environment are read by others.
		text, err := os.ReadFile(f.database)
		if err != nil {
			return fmt.Errorf("--database-file: %w", err)
		}
		if opt.Database = strings.TrimSpace(string(text)); opt.Database == "" {
			return fmt.Errorf("--database-file: %s is empty", f.database)
		}
	}
	packages, operations, err := plane.Listen(f.listen, f.metrics)
	if err != nil {
		return err
	}
	defer packages.Close()
	if operations != nil {
		defer operations.Close()
	}
	p, err := plane.Open(ctx, opt)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	return p.Run(ctx, packages, operations, func() error {
		a := []any{"version", version, "listen", packages.Addr().String(), "data", f.dataDir}
		if operations != nil {
			a = append(a, "metrics", operations.Addr().String())
		}
		log.Info("serving", a...)
		return nil
	})
}

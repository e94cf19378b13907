package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/admin"
	"packhouse.dev/packhouse/registry/auth"
	"packhouse.dev/packhouse/registry/config"
)

// tokenVariable holds the token for a registry that is not on this machine.
const tokenVariable = "PACKHOUSE_TOKEN"

// login is one run of the command.
type login struct {
	target
	exchange
	domain     string
	owner      string
	repository string
	endpoint   string
	scope      string
	duration   time.Duration
	dryRun     bool
}

func loginCommand(p *program) *cobra.Command {
	l := login{target: target{program: p}}
	names := make([]string, 0, len(tools))
	for _, t := range tools {
		names = append(names, t.name)
	}
	c := &cobra.Command{
		Use: "login {" + strings.Join(names, " | ") + "}", Short: "Point a client at a repository, with a fresh token",
		Long: `Point a client at a repository and give it a fresh token, with the client's own config command. The token is for one
domain and lives 12 hours, or as long as --duration says; then log in again.

For a registry in a cluster say --registry and --namespace, and --endpoint if clients reach it at an address that it does not
know, such as that of "packhouse port-forward". For one that you do not administer say --endpoint and --domain, and put a token
into ` + tokenVariable + `; or, in a pod or a build, name the file with its own identity token with --` + identityFlag + `.`,
		Example: `  packhouse login npm --repository my-repo
  packhouse login npm --repository my-repo --scope @my-team    # only for packages @my-team/…
  packhouse login pnpm --repository my-repo --dry-run
  packhouse login pip --repository my-repo
  packhouse login npm --registry default -n packhouse --domain my-domain --repository my-repo
  PACKHOUSE_TOKEN=… packhouse login yarn --endpoint https://packages.example.com --domain my-domain --domain-owner 111122223333 --repository my-repo`,
		ValidArgs: names,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 || !slices.Contains(names, args[0]) {
				return fmt.Errorf("say which client: %s login {%s}", p.name, strings.Join(names, " | "))
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error { return l.run(c, args[0]) },
	}
	l.target.flags(c)
	l.exchange.flags(c)
	domainFlags(c, &l.domain, &l.owner)
	f := c.Flags()
	f.StringVar(&l.repository, "repository", "", "repository (default: the only one of the domain)")
	f.StringVar(&l.endpoint, "endpoint", "", "base address of the registry (default: as the registry says)")
	f.StringVar(&l.scope, "scope", "", "use the repository for packages of this scope only, for example @my-team")
	f.DurationVar(&l.duration, "duration", auth.MaxLifetime, "how long the token lives: 15m to 12h")
	f.BoolVar(&l.dryRun, "dry-run", false, "print the commands, without the token, and run none")
	return c
}

func (l *login) run(c *cobra.Command, name string) error {
	tool := tools[slices.IndexFunc(tools, func(t tool) bool { return t.name == name })]
	s, err := l.settings(c, tool)
	if err != nil {
		return err
	}
	steps, err := tool.steps(c.Context(), s)
	if err != nil {
		return err
	}
	if l.dryRun {
		for _, st := range steps {
			fmt.Fprintln(c.OutOrStdout(), st)
		}
		return nil
	}
	for _, st := range steps {
		if err := st.run(c.Context(), s.token); err != nil {
			return err
		}
	}
	fmt.Fprintf(c.OutOrStdout(), "Configured %s to use %s\n", tool.name, s.registry)
	if tool.publish != "" {
		fmt.Fprintf(c.OutOrStdout(), "To publish: %s\n", strings.ReplaceAll(tool.publish, "%s", strings.TrimSuffix(s.registry, "/")))
	}
	if !s.expires.IsZero() {
		fmt.Fprintf(c.OutOrStdout(), "Login expires in %s at %s\n", spoken(time.Until(s.expires)), s.expires.Local().Format("2006-01-02 15:04:05-07:00"))
	}
	return nil
}

// settings are what a tool is told.
type settings struct {
	registry string // with a slash at the end
	scope    string // "@name" or ""
	token    string
	expires  time.Time // zero: not known
}

// nerfDart is the registry's address without its scheme, as npm writes the keys of credentials.
func (s *settings) nerfDart() string { return s.registry[strings.Index(s.registry, "//"):] }

func (l *login) settings(c *cobra.Command, t tool) (*settings, error) {
	s := &settings{scope: l.scope, token: os.Getenv(tokenVariable)}
	if s.scope != "" && t.format == "swift" { // whose scopes are written without it
		s.scope = "@" + strings.TrimPrefix(s.scope, "@")
	}
	if s.scope != "" && (s.scope[0] != '@' || len(s.scope) < 2 || strings.ContainsAny(s.scope[1:], "@/: =\t\n\"'")) {
		return nil, fmt.Errorf("--scope %q: a scope looks like @my-team", s.scope)
	}
	inCluster, err := l.inCluster(c)
	if err != nil {
		return nil, err
	}
	ref := registry.DomainRef{Owner: l.owner, Name: l.domain}
	endpoint := l.endpoint
	if err := l.named(endpoint, ref); err != nil {
		return nil, err
	}
	switch {
	case l.file != "" && (inCluster || l.local):
		return nil, errNotLocal
	case l.file != "" && l.dryRun:
	case l.file != "":
		if s.token, s.expires, err = l.exchange.token(c.Context(), c.InOrStdin(), endpoint, ref, l.duration); err != nil {
			return nil, err
		}
	case inCluster || endpoint == "" || s.token == "":
		err := l.do(c, func(ctx context.Context, at *found) (err error) {
			ref, endpoint, err = l.ask(ctx, at, s)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	switch {
	case ref.Name == "" || !registry.IsAccount(ref.Owner):
		return nil, errors.New("with --endpoint and " + tokenVariable + " say --domain and --domain-owner, too")
	case l.repository == "":
		return nil, errors.New("say which --repository")
	}
	u, err := baseAddress(endpoint)
	if err != nil {
		return nil, err
	}
	s.registry = u.JoinPath(ref.String(), t.format, l.repository).String() + "/"
	return s, nil
}

// ask asks the registry for everything that was not said, and for a token.
func (l *login) ask(ctx context.Context, at *found, s *settings) (ref registry.DomainRef, endpoint string, err error) {
	st, err := at.admin.Status(ctx)
	if err != nil {
		return ref, "", l.explainLogin(err)
	}
	if ref, err = l.choose(st); err != nil {
		return ref, "", err
	}
	if endpoint, err = l.chooseEndpoint(at, st); err != nil {
		return ref, "", err
	}
	return ref, endpoint, l.issue(ctx, at.admin, ref, s)
}

// issue gets a token, unless nothing is to be done with it.
func (l *login) issue(ctx context.Context, client *admin.Client, ref registry.DomainRef, s *settings) error {
	if l.dryRun {
		return nil
	}
	tok, err := client.Token(ctx, admin.TokenRequest{Domain: ref.Name, Owner: ref.Owner, Duration: config.Duration(l.duration), Source: "packhouse login"})
	if err != nil {
		return err
	}
	s.token, s.expires = tok.Token, tok.ExpiresAt
	return nil
}

func (l *login) explainLogin(err error) error {
	if errors.Is(err, admin.ErrNotRunning) && l.endpoint != "" {
		return fmt.Errorf("put a token for %s into %s, or name the --data-dir of a registry on this machine", l.endpoint, tokenVariable)
	}
	return err
}

// choose finds domain and repository: the one that was named, or the only one. A slip does not become a working configuration of
// nothing.
func (l *login) choose(st *admin.Status) (registry.DomainRef, error) {
	var fit []admin.DomainStatus
	var names []string
	for _, d := range st.Domains {
		if d.State != "Active" {
			continue
		}
		names = append(names, d.Name)
		if (l.domain == "" || d.Name == l.domain) && (l.owner == "" || d.Owner == l.owner) {
			fit = append(fit, d)
		}
	}
	switch {
	case len(names) == 0:
		return registry.DomainRef{}, errors.New("no domain is declared yet; declare one in the manifests")
	case len(fit) == 0:
		return registry.DomainRef{}, fmt.Errorf("there is no domain %q; there are %s", l.domain, strings.Join(names, ", "))
	case len(fit) > 1:
		return registry.DomainRef{}, fmt.Errorf("say which --domain, and --domain-owner if need be; there are %s", strings.Join(names, ", "))
	}
	ref, all := registry.DomainRef{Owner: fit[0].Owner, Name: fit[0].Name}, fit[0].Repositories
	switch {
	case len(all) == 0:
		return ref, fmt.Errorf("domain %s has no repository yet; declare one in the manifests", ref.Name)
	case l.repository == "" && len(all) == 1:
		l.repository = all[0]
	case l.repository == "":
		return ref, fmt.Errorf("say which --repository; domain %s has %s", ref.Name, strings.Join(all, ", "))
	case !slices.Contains(all, l.repository):
		return ref, fmt.Errorf("domain %s has no repository %q; it has %s", ref.Name, l.repository, strings.Join(all, ", "))
	}
	return ref, nil
}

// spoken writes a duration as people say it.
func spoken(d time.Duration) string {
	d = d.Round(time.Minute)
	if h := d / time.Hour; h > 0 && d%time.Hour == 0 {
		return plural(int(h), "hour")
	}
	return plural(int(d/time.Minute), "minute")
}

func plural(n int, unit string) string {
	if n == 1 {
		return "1 " + unit
	}
	return fmt.Sprintf("%d %ss", n, unit)
}

// step is one command of a client, or a line or a text of its configuration that no command writes, or another change of such a file.
// The word placeholder, in arguments, in the input and in what rewrite returns, stands for the token.
type step struct {
	args       []string
	input      string // what the command is given to read
	file, line string
	rewrite    func(old string) string          // of file; line says what it does
	text       string                           // what edit adds to file
	edit       func(old string) (string, error) // nil: line is added
}

// placeholder stands for the token until the very last moment, so that nothing that is printed can have it.
const placeholder = "<token>"

// String is the command as one would type it.
func (s step) String() string {
	switch {
	case s.rewrite != nil:
		return "# " + s.line + " in " + quoted(s.file)
	case s.edit != nil:
		return "cat >> " + quoted(s.file) + " <<'END'\n" + s.text + "END"
	}
	if s.line != "" {
		return "echo " + quoted(s.line) + " >> " + quoted(s.file)
	}
	words := make([]string, len(s.args))
	for i, a := range s.args {
		words[i] = quoted(a)
	}
	command := strings.Join(words, " ")
	if s.input != "" {
		return "echo " + quoted(s.input) + " | " + command
	}
	return command
}

// quoted writes a word for a shell.
func quoted(word string) string {
	if strings.ContainsAny(word, " \"'<>[]$&;|*?()`\\") {
		return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
	}
	return word
}

func (s step) run(ctx context.Context, token string) error {
	switch {
	case s.rewrite != nil:
		return rewriteFile(s.file, func(old string) string { return strings.ReplaceAll(s.rewrite(old), placeholder, token) })
	case s.edit != nil:
		return editFile(s.file, s.edit)
	case s.line != "":
		return addLine(s.file, s.line)
	}
	args := make([]string, len(s.args))
	for i, a := range s.args {
		args[i] = strings.ReplaceAll(a, placeholder, token)
	}
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	if s.input != "" {
		cmd.Stdin = strings.NewReader(strings.ReplaceAll(s.input, placeholder, token) + "\n")
	}
	out, err := cmd.CombinedOutput()
	if errors.Is(err, exec.ErrNotFound) {
		return fmt.Errorf("%s is not installed, or not in PATH", s.args[0])
	}
	if err != nil {
		said := strings.TrimSpace(strings.ReplaceAll(string(out), token, placeholder))
		return fmt.Errorf("%s: %w\n%s", s, err, said)
	}
	return nil
}

// addLine adds a line to a file that does not have it yet. A file that is not there is made, for its owner alone.
func addLine(file, line string) error {
	old, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if slices.Contains(strings.Split(strings.ReplaceAll(string(old), "\r\n", "\n"), "\n"), line) {
		return nil
	}
	f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if len(old) > 0 && old[len(old)-1] != '\n' {
		line = "\n" + line
	}
	_, err = f.WriteString(line + "\n")
	return errors.Join(err, f.Close())
}

package clienttest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// Kind is a client of the npm protocol.
type Kind string

// The clients, as hack/clients pins them.
const (
	NPM   Kind = "npm"
	PNPM  Kind = "pnpm"
	Yarn1 Kind = "yarn1"
	Berry Kind = "berry"
	Bun   Kind = "bun"
)

// Kinds are all of them.
func Kinds() []Kind { return []Kind{NPM, PNPM, Yarn1, Berry, Bun} }

// program is where a client lies below node_modules, and what it is called.
func (k Kind) program() (path, name string) {
	switch k {
	case NPM:
		return "npm/bin/npm-cli.js", "npm"
	case PNPM:
		return "pnpm/pnpm", "pnpm"
	case Yarn1:
		return "yarn/bin/yarn.js", "yarn"
	case Berry:
		return "@yarnpkg/cli-dist/bin/yarn.js", "yarn"
	case Bun:
		return "bun/bin/bun.exe", "bun"
	}
	panic("no client " + string(k))
}

// Lockfile is what the client calls it.
func (k Kind) Lockfile() string {
	switch k {
	case NPM:
		return "package-lock.json"
	case PNPM:
		return "pnpm-lock.yaml"
	case Bun:
		return "bun.lock"
	default:
		return "yarn.lock"
	}
}

// commandTimeout is for one command of a client, so that a request that hangs fails its test and not the whole run.
const commandTimeout = 5 * time.Minute

// Client is a package manager with a home, a cache and a project of its own. Nothing of the machine's configuration reaches it.
type Client struct {
	Kind    Kind
	Home    string // has its configuration
	Project string // where commands run
	Env     []string

	t     testing.TB
	token string
	cache string
	bin   string // folder with the clients under the names that people type
}

// NewClient returns a client that is not configured yet. The test is skipped if the client is not installed.
func NewClient(t testing.TB, kind Kind) *Client {
	t.Helper()
	dir := t.TempDir()
	c := &Client{
		Kind: kind, t: t, Home: filepath.Join(dir, "home"), Project: filepath.Join(dir, "project"),
		cache: filepath.Join(dir, "cache"), bin: filepath.Join(dir, "bin"),
	}
	for _, d := range []string{c.Home, c.Project, c.cache, c.bin} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, k := range []Kind{NPM, kind} { // npm itself beside it: "packhouse login yarn" calls it
		path, name := k.program()
		path = filepath.Join(root(), ".cache/clients/node_modules", path)
		if _, err := os.Stat(path); err != nil {
			Missing(t, string(k)+" (make clients)")
		}
		link := filepath.Join(c.bin, name)
		_ = os.Remove(link) // npm itself, a second time
		if err := os.Symlink(path, link); err != nil {
			t.Fatal(err)
		}
	}
	c.WriteFile("package.json", `{"name":"project","version":"1.0.0","private":true,"license":"MIT"}`)
	if kind == Berry {
		c.WriteFile("yarn.lock", "") // makes the folder a project of its own
	}
	return c
}

// root is the folder of the module.
func root() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "../../..")
}

// Use writes the client's configuration files for a registry, whose address ends with a slash. Without a token it has none.
func (c *Client) Use(registry, token string) *Client {
	c.t.Helper()
	c.token = token
	u, err := url.Parse(registry)
	if err != nil {
		c.t.Fatal(err)
	}
	at := "//" + u.Host + u.Path
	npmrc := "registry=" + registry + "\n"
	yarnrc := "unsafeHttpWhitelist: [" + u.Hostname() + "]\nnpmRegistryServer: " + registry + "\n"
	if token != "" {
		npmrc += at + ":_authToken=" + token + "\n"
		yarnrc += "npmRegistries:\n  \"" + strings.TrimSuffix(at, "/") + "\":\n    npmAlwaysAuth: true\n    npmAuthToken: " + token + "\n"
	}
	if c.Kind == Yarn1 {
		npmrc += at + ":always-auth=true\n"
	}
	name, text := ".npmrc", npmrc
	if c.Kind == Berry {
		name, text = ".yarnrc.yml", yarnrc
	}
	if err := os.WriteFile(filepath.Join(c.Home, name), []byte(text), 0o600); err != nil {
		c.t.Fatal(err)
	}
	return c
}

// Token is the one that the client was given.
func (c *Client) Token() string { return c.token }

// environment is all that a client gets to see.
func (c *Client) environment() []string {
	path := c.bin + string(os.PathListSeparator) + os.Getenv("PATH")
	return append([]string{
		"PATH=" + path, "HOME=" + c.Home, "USERPROFILE=" + c.Home, "LANG=C.UTF-8", "NO_COLOR=1", "CI=1",
		"XDG_CONFIG_HOME=" + filepath.Join(c.Home, ".config"),
		"XDG_CACHE_HOME=" + filepath.Join(c.cache, "xdg"), "XDG_DATA_HOME=" + filepath.Join(c.cache, "data"),
		"XDG_STATE_HOME=" + filepath.Join(c.cache, "state"), "PNPM_HOME=" + filepath.Join(c.cache, "pnpm"),
		"npm_config_userconfig=" + filepath.Join(c.Home, ".npmrc"), "npm_config_globalconfig=" + filepath.Join(c.Home, "npmrc"),
		"npm_config_cache=" + filepath.Join(c.cache, "npm"), "npm_config_update_notifier=false", "npm_config_fund=false",
		// One retry: tests of an upstream that is down would else wait for minutes.
		"npm_config_fetch_retries=1", "npm_config_fetch_retry_mintimeout=200", "npm_config_fetch_retry_maxtimeout=400",
		"pnpm_config_fetch_retries=1", "pnpm_config_fetch_retry_mintimeout=200",
		"YARN_CACHE_FOLDER=" + filepath.Join(c.cache, "yarn"), "YARN_GLOBAL_FOLDER=" + filepath.Join(c.cache, "berry"),
		"YARN_HTTP_RETRY=1", "YARN_NODE_LINKER=node-modules", "YARN_ENABLE_TELEMETRY=0",
		"npm_config_prefix=" + filepath.Join(c.cache, "prefix"), "BUN_INSTALL_CACHE_DIR=" + filepath.Join(c.cache, "bun"),
	}, c.Env...)
}

// Run runs the client and returns all that it printed. The error is that of the process.
func (c *Client) Run(args ...string) (string, error) {
	_, name := c.Kind.program()
	return c.Exec(filepath.Join(c.bin, name), args...)
}

// Exec runs another program as the client's user, in its project.
func (c *Client) Exec(program string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), commandTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir, cmd.Env, cmd.WaitDelay = c.Project, c.environment(), 5*time.Second
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// OK runs the client, which must succeed.
func (c *Client) OK(args ...string) string {
	c.t.Helper()
	out, err := c.Run(args...)
	if err != nil {
		c.t.Fatalf("%s %s: %v\n%s", c.Kind, strings.Join(args, " "), err, out)
	}
	return out
}

// Refused runs the client, which must fail and print each of texts.
func (c *Client) Refused(texts []string, args ...string) {
	c.t.Helper()
	out, err := c.Run(args...)
	if _, exited := errors.AsType[*exec.ExitError](err); !exited {
		c.t.Errorf("%s %s: got %v, want it to fail\n%s", c.Kind, strings.Join(args, " "), err, out)
		return
	}
	for _, text := range texts {
		if !strings.Contains(out, text) {
			c.t.Errorf("%s %s: does not say %q but\n%s", c.Kind, strings.Join(args, " "), text, out)
		}
	}
}

// Add adds packages to the project.
func (c *Client) Add(specs ...string) string {
	c.t.Helper()
	verb := "add"
	if c.Kind == NPM {
		verb = "install"
	}
	return c.OK(append([]string{verb}, specs...)...)
}

// Frozen are the arguments that install exactly what the lock file says.
func (c *Client) Frozen() []string {
	switch c.Kind {
	case NPM:
		return []string{"ci"}
	case Berry:
		return []string{"install", "--immutable"}
	default:
		return []string{"install", "--frozen-lockfile"}
	}
}

// Publish are the arguments that publish the project, with a tag unless it is "".
func (c *Client) Publish(tag string) []string {
	var args []string
	switch c.Kind {
	case Berry:
		args = []string{"npm", "publish"}
	case PNPM:
		args = []string{"publish", "--no-git-checks"}
	case Yarn1:
		args = []string{"publish", "--non-interactive"}
	default:
		args = []string{"publish"}
	}
	if tag != "" {
		args = append(args, "--tag", tag)
	}
	return args
}

// Clean removes what was installed and every cache; manifest and lock file stay.
func (c *Client) Clean() {
	c.t.Helper()
	for _, path := range []string{c.cache, filepath.Join(c.Project, "node_modules"), filepath.Join(c.Project, ".yarn")} {
		if err := os.RemoveAll(path); err != nil {
			c.t.Fatal(err)
		}
	}
	if err := os.MkdirAll(c.cache, 0o700); err != nil {
		c.t.Fatal(err)
	}
}

// WriteFile writes a file of the project.
func (c *Client) WriteFile(name, text string) {
	c.t.Helper()
	path := filepath.Join(c.Project, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		c.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		c.t.Fatal(err)
	}
}

// ReadFile reads a file of the project.
func (c *Client) ReadFile(name string) string {
	c.t.Helper()
	data, err := os.ReadFile(filepath.Join(c.Project, name))
	if err != nil {
		c.t.Fatal(err)
	}
	return string(data)
}

// Becomes makes the project the sources of a package, to publish it.
func (c *Client) Becomes(p Package) {
	c.t.Helper()
	for name, text := range p.Contents() {
		c.WriteFile(name, text)
	}
}

// Installed returns the version of a package in node_modules, "" if it is not there.
func (c *Client) Installed(name string) string {
	c.t.Helper()
	data, err := os.ReadFile(filepath.Join(c.Project, "node_modules", filepath.FromSlash(name), "package.json"))
	if errors.Is(err, os.ErrNotExist) {
		return ""
	}
	var m struct{ Version string }
	if err == nil {
		err = json.Unmarshal(data, &m)
	}
	if err != nil {
		c.t.Fatalf("%s in node_modules: %v", name, err)
	}
	return m.Version
}

// Requires loads packages with Node from the project, and with them what they depend on, so that the tree is known to be whole. Each
// must say its own name and version.
func (c *Client) Requires(specs ...string) {
	c.t.Helper()
	for _, spec := range specs {
		name := spec[:strings.LastIndex(spec, "@")]
		out, err := c.Exec("node", "-e", fmt.Sprintf("process.stdout.write(require(%q))", name))
		if err != nil || out != spec {
			c.t.Errorf("%s: require(%q): got %q, %v, want %q", c.Kind, name, out, err, spec)
		}
	}
}

package clienttest

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// User is somebody with a home and a folder to work in. Nothing of the machine's configuration reaches the programs that they run.
type User struct {
	T          testing.TB
	Home, Work string
	Env        []string // what programs see besides; the last of a name counts

	base []string
}

// NewUser returns a user.
func NewUser(t testing.TB) *User {
	t.Helper()
	dir := t.TempDir()
	u := &User{T: t, Home: filepath.Join(dir, "home"), Work: filepath.Join(dir, "work")}
	for _, d := range []string{u.Home, u.Work} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return u
}

// With sets what the ecosystem's programs are to see besides PATH, HOME, LANG and Env.
func (u *User) With(environment ...string) *User {
	u.base = environment
	return u
}

// Path is a path in the folder, if it is not absolute.
func (u *User) Path(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(u.Work, path)
}

// Write makes a file, and the folders that it is in.
func (u *User) Write(path, text string) {
	u.T.Helper()
	path = u.Path(path)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		u.T.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		u.T.Fatal(err)
	}
}

// Read returns what is in a file.
func (u *User) Read(path string) string {
	u.T.Helper()
	b, err := os.ReadFile(u.Path(path))
	if err != nil {
		u.T.Fatal(err)
	}
	return string(b)
}

// Forget removes files and folders of the home.
func (u *User) Forget(paths ...string) {
	u.T.Helper()
	for _, p := range paths {
		if err := os.RemoveAll(filepath.Join(u.Home, p)); err != nil {
			u.T.Fatal(err)
		}
	}
}

// Run runs a program and returns all that it printed.
func (u *User) Run(program string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), commandTimeout)
	defer cancel()
	return u.Start(exec.CommandContext(ctx, program, args...))
}

// Start runs a command as the user.
func (u *User) Start(cmd *exec.Cmd) (string, error) {
	cmd.Dir, cmd.WaitDelay = u.Work, 5*time.Second
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + u.Home, "LANG=C.UTF-8"}, u.base...)
	cmd.Env = append(cmd.Env, u.Env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// OK runs a program, which must succeed, and returns all that it printed.
func (u *User) OK(program string, args ...string) string {
	u.T.Helper()
	out, err := u.Run(program, args...)
	if err != nil {
		u.T.Fatalf("%s %s: %v\n%s", program, strings.Join(args, " "), err, out)
	}
	return out
}

// Says runs a program, which must succeed and print each of texts.
func (u *User) Says(texts []string, program string, args ...string) {
	u.T.Helper()
	u.has(u.OK(program, args...), texts, program, args)
}

// Refused runs a program, which must fail and print each of texts, however it breaks lines.
func (u *User) Refused(texts []string, program string, args ...string) string {
	u.T.Helper()
	out, err := u.Run(program, args...)
	if _, exited := errors.AsType[*exec.ExitError](err); !exited {
		u.T.Errorf("%s %s: got %v, want it to fail\n%s", program, strings.Join(args, " "), err, out)
		return out
	}
	u.has(out, texts, program, args)
	return out
}

func (u *User) has(out string, texts []string, program string, args []string) {
	u.T.Helper()
	plain := strings.Join(strings.Fields(out), " ")
	for _, text := range texts {
		if !strings.Contains(plain, text) && !strings.Contains(out, text) {
			u.T.Errorf("%s %s: does not say %q but\n%s", program, strings.Join(args, " "), text, out)
		}
	}
}

// Program is the path of a client.
func Program(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		Missing(t, name)
	}
	return path
}

// Missing skips the test, loudly, or fails it where everything has to be there: with REQUIRE_CLIENTS=1.
func Missing(t testing.TB, what string) {
	t.Helper()
	if os.Getenv("REQUIRE_CLIENTS") != "" {
		t.Fatalf("%s is not installed", what)
	}
	t.Skipf("SKIPPED: %s is not installed", what)
}

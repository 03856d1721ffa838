//go:build unix

package main

import (
	"bufio"
	"bytes"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/cmd/earshot/cli"
)

// ordinary is the user id of a user without rights, on most systems "nobody".
const ordinary = 65534

// person is an ordinary user, who runs earshot without a umask.
type person struct {
	program  string
	home     string // theirs
	readOnly string // in which they may not write
	who      *syscall.SysProcAttr
}

// somebody returns an ordinary user: the one that runs the test, unless that is root.
func somebody(t *testing.T) person {
	t.Helper()
	base, err := os.MkdirTemp("", "earshot-test-") // t.TempDir is root's alone
	require.NoError(t, err)
	p := person{program: filepath.Join(base, "earshot"), home: filepath.Join(base, "home"), readOnly: filepath.Join(base, "read-only")}
	t.Cleanup(func() {
		assert.NoError(t, os.Chmod(p.readOnly, 0o700))
		assert.NoError(t, os.RemoveAll(base))
	})
	self := program(t)
	// A copy can't be started while a process that another test has just forked holds it
	// open for writing: it is made only where the files are on two file systems.
	if err := os.Link(self, p.program); err != nil {
		program, err := os.ReadFile(self)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(p.program, program, 0o755))
	}
	require.NoError(t, os.Mkdir(p.home, 0o700))
	require.NoError(t, os.Mkdir(p.readOnly, 0o555))
	require.NoError(t, os.Chmod(base, 0o755))
	if os.Getuid() == 0 {
		require.NoError(t, os.Chown(p.home, ordinary, ordinary))
		p.who = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: ordinary, Gid: ordinary}}
		probe := exec.CommandContext(t.Context(), "true")
		probe.SysProcAttr = p.who
		if err := probe.Run(); err != nil {
			t.Skipf("root cannot become an ordinary user here: %v", err)
		}
	}
	return p
}

// serve starts a server in a directory and stops it once it serves. It returns what it
// said, and its exit code.
func (p person) serve(t *testing.T, dir, home string, args ...string) (said string, code int) {
	t.Helper()
	args = append([]string{"-c", `umask 0; exec "$0" "$@"`, p.program, "serve", "--http", "127.0.0.1:0", "--media", "127.0.0.1:0"}, args...)
	c := exec.CommandContext(t.Context(), "sh", args...)
	c.Dir, c.SysProcAttr = dir, p.who
	c.Env = []string{asCommand + "=1", "PATH=" + os.Getenv("PATH")}
	if home != "" {
		c.Env = append(c.Env, "HOME="+home)
	}
	var errs bytes.Buffer
	c.Stderr = &errs
	out, err := c.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, c.Start())
	lines := bufio.NewReader(out)
	line, _ := lines.ReadString('\n') // empty if it ends
	if line != "" {
		require.NoError(t, c.Process.Signal(syscall.SIGTERM))
	}
	_, _ = io.Copy(io.Discard, lines)
	_ = c.Wait() // its code is looked at
	return line + errs.String(), c.ProcessState.ExitCode()
}

// TestServeStartsAsAnOrdinaryUser starts servers as an ordinary user, in a directory of
// theirs and in one where they may not write, with such a home, and with none.
func TestServeStartsAsAnOrdinaryUser(t *testing.T) {
	t.Parallel()
	p := somebody(t)
	data := filepath.Join(p.home, "elsewhere")
	for _, row := range []struct {
		name, dir, home string
		args            []string
		fails           string
	}{
		{"in a directory of theirs", p.home, p.home, nil, ""},
		{"with TLS of its own", p.home, p.home, []string{"--tls-self-signed"}, ""},
		{"with a home that is read-only", p.home, p.readOnly, []string{"--data", "other"}, ""},
		{"without a home", p.home, "", []string{"--data", "homeless"}, ""},
		{"where they may not write", p.readOnly, p.home, nil, "make the data directory: mkdir ./earshot-data: permission denied"},
		{"where they may not write, with TLS", p.readOnly, p.home, []string{"--tls-self-signed"}, "permission denied"},
		{"where they may not write, with data elsewhere", p.readOnly, p.readOnly, []string{"--data", data, "--tls-self-signed"}, ""},
		{"open, where they may not write", p.readOnly, p.readOnly, []string{"--open"}, ""},
		{"open, with TLS, where they may not write", p.readOnly, p.readOnly, []string{"--open", "--tls-self-signed"}, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			for range 2 {
				said, code := p.serve(t, row.dir, row.home, row.args...)
				if row.fails != "" {
					assert.Equal(t, 1, code, said)
					assert.Contains(t, said, row.fails)
					continue
				}
				assert.Zero(t, code, said)
				assert.Contains(t, said, "earshot is serving")
			}
		})
	}
	// There was no umask, and still nobody else can read or change what there is.
	require.NoError(t, filepath.WalkDir(p.home, func(path string, d fs.DirEntry, err error) error {
		require.NoError(t, err)
		info, err := d.Info()
		require.NoError(t, err)
		assert.Zero(t, info.Mode().Perm()&0o007, "%s has mode %v", strings.TrimPrefix(path, p.home), info.Mode())
		return nil
	}))
}

// TestServeRefusesLooseSecrets loosens what a server keeps.
func TestServeRefusesLooseSecrets(t *testing.T) {
	t.Parallel()
	p := somebody(t)
	said, code := p.serve(t, p.home, p.home, "--tls-self-signed")
	require.Zero(t, code, said)
	for _, name := range []string{cli.OperatorTokenFile, "session-key", "tls-self-signed.pem"} {
		path := filepath.Join(p.home, "earshot-data", name)
		require.NoError(t, os.Chmod(path, 0o644))
		said, code := p.serve(t, p.home, p.home, "--tls-self-signed")
		assert.Equal(t, 1, code, said)
		assert.Contains(t, said, "chmod 600 ")
		assert.Contains(t, said, name)
		require.NoError(t, os.Chmod(path, 0o600))
	}
	said, code = p.serve(t, p.home, p.home, "--tls-self-signed")
	require.Zero(t, code, said)
	key := filepath.Join(p.home, "earshot-data", "tls-self-signed.pem") // also a certificate and a key for others
	require.NoError(t, os.Chmod(key, 0o644))
	said, code = p.serve(t, p.home, p.home, "--data", "other", "--tls-cert", key, "--tls-key", key)
	assert.Zero(t, code, said)
	assert.Contains(t, said, "the key of HTTPS is no secret")
}

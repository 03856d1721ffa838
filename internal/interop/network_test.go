package interop_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// ownNetwork has the name of the test that runs in a network of its own.
const ownNetwork = "EARSHOT_INTEROP_NETWORK"

// inOwnNetwork reports whether the test runs in a network of its own: ports are free there, nothing of it
// gets out, and it has an address that is not of the loopback. If it does not, it has been run there by then.
func inOwnNetwork(t *testing.T) bool {
	t.Helper()
	switch os.Getenv(ownNetwork) {
	case t.Name():
	case "":
		again := exec.Command(os.Args[0], append(os.Args[1:], "-test.v")...)
		again.Env = append(os.Environ(), ownNetwork+"="+t.Name())
		again.Stdout, again.Stderr = os.Stdout, os.Stderr
		again.SysProcAttr = &syscall.SysProcAttr{
			Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET,
			UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
		}
		require.NoError(t, again.Run(), "in a network of its own")
		return false
	default: // of another test
		return false
	}
	for _, words := range []string{
		"ip link set lo up", "ip link add here type veth peer name there",
		"ip address add " + address + "/24 dev here", "ip link set here up", "ip link set there up",
	} {
		command := strings.Fields(words)
		out, err := exec.Command(command[0], command[1:]...).CombinedOutput()
		require.NoError(t, err, "%s: %s", words, out)
	}
	return true
}

// buildEarshot returns the path of this tree's program.
func buildEarshot(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "earshot")
	out, err := exec.Command("go", "build", "-o", program, "../../cmd/earshot").CombinedOutput()
	require.NoError(t, err, string(out))
	return program
}

// document is where the tables are.
const document = "../../docs/targets.md"

// write puts a table into the document, in the place of the one that the same command made.
func write(t *testing.T, command, table string) {
	t.Helper()
	begin, end := "<!-- "+command+" writes this table -->\n", "<!-- end of the table -->"
	text, err := os.ReadFile(document)
	require.NoError(t, err)
	before, rest, ok := strings.Cut(string(text), begin)
	_, after, ends := strings.Cut(rest, end)
	require.True(t, ok && ends, "%s has no place for the table of %s", document, command)
	require.NoError(t, os.WriteFile(document, []byte(before+begin+"\n"+table+"\n"+end+after), 0o644))
}

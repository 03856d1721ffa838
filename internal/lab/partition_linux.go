package lab

import (
	"flag"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// insideEnv names the lab to a test that was started again on one of its machines.
const insideEnv = "EARSHOT_LAB_INSIDE"

// On runs a test on one of several new machines: it starts the test's own program again there, which
// calls On again and gets the same machines. So all that the test opens is on that machine.
func On(t *testing.T, machines, machine int, test func(l *Lab)) {
	t.Helper()
	if name := os.Getenv(insideEnv); name != "" {
		test(&Lab{t: t, name: name, machines: machines})
		return
	}
	l := New(t, machines)
	args := []string{"-test.run", "^" + t.Name() + "$", "-test.v", "-test.timeout", flag.Lookup("test.timeout").Value.String()}
	flag.Visit(func(f *flag.Flag) {
		if !strings.HasPrefix(f.Name, "test.") {
			args = append(args, "-"+f.Name+"="+f.Value.String())
		}
	})
	c := l.Command(machine, os.Args[0], args...)
	c.Env = append(os.Environ(), insideEnv+"="+l.name)
	c.Stdout, c.Stderr = t.Output(), t.Output()
	require.NoError(t, c.Run(), "the test on machine %d", machine)
}

// Block loses all that a machine sends to another, until Unblock. What comes the other way arrives.
func (l *Lab) Block(from, to int) { l.route("add", from, to) }

// Unblock ends Block.
func (l *Lab) Unblock(from, to int) { l.route("del", from, to) }

func (l *Lab) route(do string, from, to int) {
	l.t.Helper()
	l.ip("-n", l.machine(from), "route", do, "blackhole", l.Address(to).String()+"/32")
}

// SetLink puts the link of a machine down, or up again: nothing reaches it, and nothing leaves it.
func (l *Lab) SetLink(i int, up bool) {
	l.t.Helper()
	state := "down"
	if up {
		state = "up"
	}
	l.ip("-n", l.bridge(), "link", "set", "port"+strconv.Itoa(i), state)
}

// end ends the processes that are left on a machine, so that a test that was killed leaves none. The
// test's own may be among them: a thread of it that was on the machine can be its first.
func (l *Lab) end(i int) {
	out, err := exec.Command("ip", "netns", "pids", l.machine(i)).Output()
	if err != nil {
		return
	}
	for _, pid := range strings.Fields(string(out)) {
		if n, err := strconv.Atoi(pid); err == nil && n != os.Getpid() {
			_ = syscall.Kill(n, syscall.SIGKILL) // it may have ended
		}
	}
}

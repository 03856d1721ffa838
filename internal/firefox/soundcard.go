package firefox

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// A soundCard is a PulseAudio of a browser's own, with speakers that nobody hears. Without
// any, Firefox plays nothing, and its Web Audio stands still.
type soundCard struct {
	socket string
	cmd    *exec.Cmd
}

// startSoundCard starts one with its files in a folder.
func startSoundCard(dir string) (*soundCard, error) {
	s := &soundCard{socket: filepath.Join(dir, "speakers.socket")}
	s.cmd = exec.Command("pulseaudio", "-n", "--daemonize=no", "--use-pid-file=no", "--exit-idle-time=-1", "--disable-shm=yes", "--realtime=no", "--high-priority=no",
		"-L", "module-null-sink sink_name=speakers rate=48000",
		"-L", "module-native-protocol-unix auth-anonymous=1 socket="+s.socket)
	s.cmd.Env = append(os.Environ(), "HOME="+dir, "XDG_RUNTIME_DIR="+dir, "DBUS_SESSION_BUS_ADDRESS=")
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start PulseAudio (make tools installs it): %w", err)
	}
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if conn, err := net.Dial("unix", s.socket); err == nil {
			return s, conn.Close()
		}
	}
	return nil, errors.Join(fmt.Errorf("PulseAudio cannot be reached after %v", patience), s.stop())
}

// stop ends it.
func (s *soundCard) stop() error {
	err := s.cmd.Process.Signal(os.Interrupt)
	return errors.Join(err, s.cmd.Wait())
}

// Package firefox starts a real Firefox for tests, and looks at pages as tests do. Nothing else
// imports it.
package firefox

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// patience is how long Firefox may take to start, and to do what it is told.
const patience = 40 * time.Second

// Preferences are settings of about:config: booleans, numbers and texts.
type Preferences map[string]any

// Microphone gives pages a microphone, without asking anybody. It plays a tone of frequency hertz.
func Microphone(frequency int) Preferences {
	return Preferences{
		"media.navigator.streams.fake":         true,
		"media.navigator.audio.fake_frequency": frequency,
		"media.navigator.permission.disabled":  true,
	}
}

// Path finds Firefox.
func Path() (string, error) {
	path, err := exec.LookPath("firefox-esr")
	if err != nil {
		path, err = exec.LookPath("firefox")
	}
	return path, err
}

// A Browser is a running Firefox without a window.
type Browser struct {
	session *session
	cmd     *exec.Cmd
	sound   *soundCard
	profile string
	drained chan struct{} // closed once the process has closed its standard error
}

// Launch starts the Firefox of a path. Its profile is empty but for the preferences; WebRTC may use the loopback.
// Whoever calls it calls [Browser.Stop].
func Launch(path string, preferences ...Preferences) (*Browser, error) {
	profile, err := os.MkdirTemp("", "earshot-firefox")
	if err != nil {
		return nil, err
	}
	b := &Browser{profile: profile, drained: make(chan struct{})}
	if err := b.start(path, preferences); err != nil {
		return nil, errors.Join(fmt.Errorf("start Firefox: %w", err), b.Stop())
	}
	return b, nil
}

func (b *Browser) start(path string, preferences []Preferences) error {
	var settings strings.Builder
	for _, some := range preferences {
		for name, value := range some {
			text, err := json.Marshal(value)
			if err != nil {
				return fmt.Errorf("preference %s: %w", name, err)
			}
			fmt.Fprintf(&settings, "user_pref(%q, %s);\n", name, text)
		}
	}
	if err := os.WriteFile(filepath.Join(b.profile, "user.js"), []byte(settings.String()), 0o600); err != nil {
		return err
	}
	var err error
	if b.sound, err = startSoundCard(b.profile); err != nil {
		return err
	}
	cmd := exec.Command(path, "--headless", "--no-remote", "--profile", b.profile, "--remote-debugging-port", "0")
	// Its home is the profile too: the user's own may not exist, and is none of a test's business.
	cmd.Env = append(os.Environ(), "HOME="+b.profile, "PULSE_SERVER=unix:"+b.sound.socket, "MOZ_CRASHREPORTER_DISABLE=1")
	output, err := cmd.StderrPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	b.cmd = cmd
	address := make(chan string, 1)
	go b.drain(output, address)
	select {
	case url, ok := <-address:
		if !ok {
			return errors.New("it ended before it could be reached")
		}
		b.session, err = open(url + "/session")
		return err
	case <-time.After(patience):
		return fmt.Errorf("it cannot be reached after %v", patience)
	}
}

// drain reads what Firefox prints, and passes on the address at which it can be driven.
func (b *Browser) drain(output io.Reader, address chan<- string) {
	defer close(b.drained)
	defer close(address)
	lines := bufio.NewScanner(output)
	for lines.Scan() {
		if _, url, found := strings.Cut(lines.Text(), "WebDriver BiDi listening on "); found {
			address <- url
		}
	}
	_, _ = io.Copy(io.Discard, output) // a line that is too long ends the scan
}

// Stop ends Firefox and removes its profile.
func (b *Browser) Stop() error {
	var errs []error
	if b.session != nil {
		if _, err := b.session.call("browser.close", struct{}{}); err != nil {
			errs = append(errs, fmt.Errorf("close Firefox: %w", err), b.cmd.Process.Kill())
		}
		b.session.close()
	} else if b.cmd != nil {
		errs = append(errs, b.cmd.Process.Kill())
	}
	if b.cmd != nil {
		<-b.drained
		if err := b.cmd.Wait(); err != nil && len(errs) == 0 {
			errs = append(errs, fmt.Errorf("firefox ended: %w", err))
		}
	}
	if b.sound != nil {
		errs = append(errs, b.sound.stop())
	}
	return errors.Join(append(errs, os.RemoveAll(b.profile))...)
}

// Package chromium starts a real browser for tests, and looks at pages as tests
// do. Nothing else imports it.
package chromium

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// patience is how long a page may take to do what it must.
const patience = 30 * time.Second

// disabledFeatures are chromedp's, and those that have processes ready which no test needs: one for the next
// page, and for each window two for the suggestions under the address bar. Each costs as much as a page.
const disabledFeatures = "Translate,BlinkGenPropertyTrees,SpareRendererForSitePerProcess,WebUIOmniboxPopup,WebUIOmniboxAimPopup"

// An Option is one more switch of the browser.
type Option = chromedp.ExecAllocatorOption

// Start starts a browser without a window and with one tab, which is what it
// returns: tests hand it to chromedp and to the functions here. The browser has
// an empty profile and ends with the test. WebRTC may use the loopback.
//
// With -short, the test is skipped.
func Start(t testing.TB, options ...Option) context.Context {
	t.Helper()
	if testing.Short() {
		t.Skip("it starts a browser")
	}
	tab, stop, err := Launch(options...)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, stop()) })
	return tab
}

// Launch is [Start] for a browser that several tests share. Whoever calls it
// calls stop after the last of them.
func Launch(options ...Option) (tab context.Context, stop func() error, err error) {
	// The headless shell has the same engine without the windows that nobody sees here, which are a quarter of
	// the CPU of the browser tests.
	path, err := find("chromium-headless-shell", "chromium", "google-chrome")
	if err != nil {
		return nil, nil, err
	}
	allocator, cancelBrowser := chromedp.NewExecAllocator(context.Background(), append(append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("allow-loopback-in-peer-connection", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-features", disabledFeatures),
	), options...)...)
	tab, cancelTab := chromedp.NewContext(allocator)
	stop = func() error {
		err := chromedp.Cancel(tab)
		cancelTab()
		cancelBrowser()
		return err
	}
	// The browser lives as long as the context of its first call.
	if err := chromedp.Do(tab); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("start Chromium: %w", err), stop())
	}
	return tab, stop, nil
}

// Whole makes it the whole browser, which can do what the headless shell cannot: ask people for a permission, and
// keep the screen on.
func Whole(t testing.TB) Option {
	t.Helper()
	path, err := find("chromium", "google-chrome")
	require.NoError(t, err)
	return chromedp.ExecPath(path)
}

// find looks for the first of some programs that is there.
func find(programs ...string) (path string, err error) {
	for _, program := range programs {
		if path, err = exec.LookPath(program); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("start Chromium (make tools installs it): %w", err)
}

// NewTab opens another tab of a browser, and gives what closes it, as a person
// does: what the page has to do then it still does.
func NewTab(t testing.TB, browser context.Context) (tab context.Context, leave func()) {
	t.Helper()
	tab, cancel := chromedp.NewContext(browser)
	require.NoError(t, chromedp.Do(tab))
	return tab, func() {
		t.Helper()
		assert.NoError(t, chromedp.Cancel(tab))
		cancel()
	}
}

// Microphone gives pages a microphone, without asking anybody. It plays a WAV
// file over and over, or beeps if wave is empty.
func Microphone(wave string) []Option {
	options := []Option{
		chromedp.Flag("use-fake-device-for-media-stream", true),
		chromedp.Flag("use-fake-ui-for-media-stream", true),
		chromedp.Flag("mute-audio", false),
	}
	if wave != "" {
		options = append(options, chromedp.Flag("use-file-for-fake-audio-capture", wave))
	}
	return options
}

// HoldToPolicy fails the test over whatever breaks the content security policy
// of a page in the tab from now on.
func HoldToPolicy(t testing.TB, tab context.Context) {
	t.Helper()
	require.NoError(t, chromedp.Listen(tab, func(e any) {
		if e, ok := e.(*log.EventEntryAdded); ok && strings.Contains(e.Entry.Text, "Content Security Policy") {
			t.Errorf("the browser says: %s", e.Entry.Text)
		}
	}))
	_, err := chromedp.Call(tab, log.Enable, cdp.Empty{})
	require.NoError(t, err)
}

// Open loads a page.
func Open(t testing.TB, tab context.Context, url string) {
	t.Helper()
	limited, cancel := context.WithTimeout(tab, patience)
	defer cancel()
	require.NoError(t, chromedp.Do(limited, chromedp.Navigate(url)))
}

// Eval gives the value of a JavaScript expression in the page, or of its promise.
func Eval[T any](t testing.TB, tab context.Context, expression string) T {
	t.Helper()
	limited, cancel := context.WithTimeout(tab, patience)
	defer cancel()
	v, err := chromedp.Run(limited, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	require.NoError(t, err, expression)
	return v
}

// Until waits until an expression is true in the page.
func Until(t testing.TB, tab context.Context, expression string) {
	t.Helper()
	Eval[bool](t, tab, `(async () => { while (!(`+expression+`)) await new Promise((r) => setTimeout(r, 20)); return true; })()`)
}

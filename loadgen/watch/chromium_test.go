package watch

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// chromium starts the browser with one tab. Files are downloaded to the folder,
// and what the tab's log holds against the page fails the test.
func chromium(t *testing.T, folder string, options ...chromedp.ExecAllocatorOption) context.Context {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		path, err = exec.LookPath("google-chrome")
	}
	require.NoError(t, err, "Chromium is missing: make tools installs it")
	allocator, cancelBrowser := chromedp.NewExecAllocator(context.Background(), append(append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.Flag("disable-component-update", true)), options...)...)
	t.Cleanup(cancelBrowser)
	tab, cancelTab := chromedp.NewContext(allocator)
	t.Cleanup(cancelTab)
	require.NoError(t, chromedp.Do(tab))
	t.Cleanup(func() { assert.NoError(t, chromedp.Cancel(tab)) })
	require.NoError(t, chromedp.Listen(tab, func(e any) {
		if e, ok := e.(*log.EventEntryAdded); ok && strings.Contains(e.Entry.Text, "Content Security Policy") {
			t.Errorf("the browser says: %s", e.Entry.Text)
		}
	}))
	_, err = chromedp.Call(tab, log.Enable, cdp.Empty{})
	require.NoError(t, err)
	_, err = chromedp.CallBrowser(tab, browser.SetDownloadBehavior, browser.SetDownloadBehaviorParams{
		Behavior: browser.SetDownloadBehaviorBehaviorAllow, DownloadPath: folder,
	})
	require.NoError(t, err)
	return tab
}

// until waits until an expression is true in the page.
func until(t *testing.T, tab context.Context, expression string) {
	t.Helper()
	limited, cancel := context.WithTimeout(tab, patience)
	defer cancel()
	_, err := chromedp.Run(limited, chromedp.Evaluate[bool](`(async () => { while (!(`+expression+`)) await new Promise((r) => setTimeout(r, 20)); return true; })()`, chromedp.EvalAwaitPromise))
	require.NoError(t, err, expression)
}

func TestChromiumFollowsARunAndKeepsItWhenTheServerIsGone(t *testing.T) {
	folder := t.TempDir()
	tab := chromium(t, folder)
	d := dashboard(t)
	require.NoError(t, chromedp.Do(tab, chromedp.Navigate(d.URL())))
	limits := thresholds(t, "latency", "p(99) < 20ms", "mos", "min > 4")
	d.Show(about(), snapshot(3), limits)
	until(t, tab, `document.querySelector('.verdict')?.textContent.includes('RUNNING')`)
	until(t, tab, `document.querySelectorAll('svg.chart').length >= 6`)
	until(t, tab, `[...document.querySelectorAll('.thresholds tbody tr')].map((r) => r.className).join() === 'good,live'`)
	until(t, tab, `getComputedStyle(document.querySelector('.k-s1')).stroke !== 'none'`)
	before := `Number(document.querySelector('.now').textContent.split(' ')[0])`
	until(t, tab, before+` === 3`)
	d.Show(about(), snapshot(9), limits)
	until(t, tab, before+` === 9`)

	d.Finish(judged(t))
	require.NoError(t, d.Close())
	until(t, tab, `document.getElementById('state').textContent.includes('needs its server no more')`)
	until(t, tab, `!document.querySelector('.verdict').textContent.includes('RUNNING')`)
	until(t, tab, `document.title.includes('a room')`)

	require.NoError(t, chromedp.Do(tab, chromedp.Click(`#save`)))
	saved := filepath.Join(folder, "a-room.html")
	require.Eventually(t, func() bool { _, err := os.Stat(saved); return err == nil }, patience, 20*time.Millisecond)
	data, err := os.ReadFile(saved)
	require.NoError(t, err)
	page := string(data)
	for _, s := range []string{"a room", "Latency, cumulative", "p(99) &lt; 20ms", "</html>", "--chart-s1"} {
		assert.Contains(t, page, s)
	}
	assert.NotRegexp(t, regexp.MustCompile(`(?i)<script|src=|href="(?:[^d]|d[^a])`), page, "it needs nothing else")

	require.NoError(t, chromedp.Do(tab, chromedp.Navigate("file://"+saved)))
	until(t, tab, `getComputedStyle(document.querySelector('.k-s1')).stroke !== 'none' && document.querySelector('figure').offsetWidth > 100`)
}

func TestChromiumWithoutScriptReadsThePage(t *testing.T) {
	tab := chromium(t, t.TempDir(), chromedp.Flag("blink-settings", "scriptEnabled=false"))
	d := dashboard(t)
	defer func() { assert.NoError(t, d.Close()) }()
	d.Show(about(), snapshot(3), thresholds(t, "latency", "p(99) < 20ms"))
	require.NoError(t, chromedp.Do(tab, chromedp.Navigate(d.URL())))
	limited, cancel := context.WithTimeout(tab, patience)
	defer cancel()
	require.NoError(t, chromedp.Do(limited, chromedp.WaitVisible(`.thresholds tr.good`)))
	d.Show(about(), snapshot(8), thresholds(t, "latency", "p(99) < 1ms"))
	require.NoError(t, chromedp.Do(limited, chromedp.WaitVisible(`.thresholds tr.bad`)), "it comes again by itself")
}

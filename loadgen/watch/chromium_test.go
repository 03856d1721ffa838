package watch

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	cdp "github.com/chromedp/cdproto/browser"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/internal/chromium"
)

// browser starts one that downloads files to a folder.
func browser(t *testing.T, folder string, options ...chromium.Option) context.Context {
	t.Helper()
	tab := chromium.Start(t, options...)
	chromium.HoldToPolicy(t, tab)
	_, err := chromedp.CallBrowser(tab, cdp.SetDownloadBehavior, cdp.SetDownloadBehaviorParams{
		Behavior: cdp.SetDownloadBehaviorBehaviorAllow, DownloadPath: folder,
	})
	require.NoError(t, err)
	return tab
}

func TestDashboardInChromiumFollowsARunAndKeepsItAfterwards(t *testing.T) {
	folder := t.TempDir()
	tab := browser(t, folder)
	d := dashboard(t)
	require.NoError(t, chromedp.Do(tab, chromedp.Navigate(d.URL())))
	limits := thresholds(t, "latency", "p(99) < 20ms", "mos", "min > 4")
	d.Show(about(), snapshot(3), limits)
	chromium.Until(t, tab, `document.querySelector('.verdict')?.textContent.includes('RUNNING')`)
	chromium.Until(t, tab, `document.querySelectorAll('svg.chart').length >= 6`)
	chromium.Until(t, tab, `[...document.querySelectorAll('.thresholds tbody tr')].map((r) => r.className).join() === 'good,live'`)
	chromium.Until(t, tab, `getComputedStyle(document.querySelector('.k-s1')).stroke !== 'none'`)
	before := `Number(document.querySelector('.now').textContent.split(' ')[0])`
	chromium.Until(t, tab, before+` === 3`)
	d.Show(about(), snapshot(9), limits)
	chromium.Until(t, tab, before+` === 9`)

	for _, scheme := range []string{"light", "dark"} {
		chromium.Prefer(t, tab, scheme)
		chromium.RequireAccessible(t, tab, "the dashboard, "+scheme)
	}

	d.Finish(judged(t))
	require.NoError(t, d.Close())
	chromium.Until(t, tab, `document.getElementById('state').textContent.includes('needs its server no more')`)
	chromium.Until(t, tab, `!document.querySelector('.verdict').textContent.includes('RUNNING')`)
	chromium.Until(t, tab, `document.title.includes('a room')`)
	chromium.RequireAccessible(t, tab, "the dashboard at the end")

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
	chromium.Until(t, tab, `getComputedStyle(document.querySelector('.k-s1')).stroke !== 'none' && document.querySelector('figure').offsetWidth > 100`)

	// On a phone all is within its width, and the words of plots are large enough to read.
	require.NoError(t, chromedp.Do(tab, chromedp.EmulateViewport(390, 844, chromedp.EmulateMobile)))
	chromium.Until(t, tab, `innerWidth === 390`)
	assert.Empty(t, chromium.Eval[[]string](t, tab, `[...document.querySelectorAll('body *')]
		.filter((e) => e.getBoundingClientRect().right > 390.5 && !e.closest('thead') && !e.closest('svg')).map((e) => e.outerHTML.slice(0, 120))`), "it is wider than the phone")
	assert.Greater(t, chromium.Eval[float64](t, tab, `Math.min(...[...document.querySelectorAll('svg text')].map((e) => e.getBoundingClientRect().height))`), 9.0)
	chromium.RequireAccessible(t, tab, "the report on a phone")
}

func TestDashboardInChromiumWithoutScript(t *testing.T) {
	tab := browser(t, t.TempDir(), chromedp.Flag("blink-settings", "scriptEnabled=false"))
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

package main

import (
	"context"
	"net/http"
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

// chromium starts the browser with one tab. What breaks the pages' policy fails
// the test.
func chromium(t *testing.T) context.Context {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		path, err = exec.LookPath("google-chrome")
	}
	require.NoError(t, err, "Chromium is missing: make tools installs it")
	allocator, cancelBrowser := chromedp.NewExecAllocator(context.Background(), append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.Flag("disable-component-update", true))...)
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
	return tab
}

// until waits until an expression is true in the page.
func until(t *testing.T, tab context.Context, expression string) {
	t.Helper()
	limited, cancel := context.WithTimeout(tab, 30*time.Second)
	defer cancel()
	_, err := chromedp.Run(limited, chromedp.Evaluate[bool](`(async () => { while (!(`+expression+`)) await new Promise((r) => setTimeout(r, 20)); return true; })()`, chromedp.EvalAwaitPromise))
	require.NoError(t, err, expression)
}

func TestTheOperatorWatchesAServerInABrowser(t *testing.T) {
	url, stop := served(t, "--operator-token", "a-token-for-the-operator", "--data", t.TempDir())
	defer func() { assert.Zero(t, stop()) }()
	status, body := get(t, http.MethodPost, url+"/api/rooms", "a-token-for-the-operator", `{"name":"Monday club"}`)
	require.Equal(t, http.StatusCreated, status, body)

	tab := chromium(t)
	require.NoError(t, chromedp.Do(tab, chromedp.Navigate(url+"/operator")))
	until(t, tab, `!document.getElementById('ask').hidden`)
	enter := func(token string) {
		require.NoError(t, chromedp.Do(tab, chromedp.SendKeys("#token", token), chromedp.Click("#ask button")))
	}
	enter("not-the-token-at-all")
	until(t, tab, `document.getElementById('state').textContent.includes('not the operator')`)
	enter("a-token-for-the-operator")
	until(t, tab, `document.querySelector('tbody th')?.textContent.includes('Monday club')`)
	until(t, tab, `document.getElementById('ask').hidden && document.querySelectorAll('svg.chart').length === 4`)
	until(t, tab, `[...document.querySelectorAll('.tiles dt')].find((d) => d.textContent === 'CPU').nextElementSibling.textContent !== '–'`) // it looks again
	require.NoError(t, chromedp.Do(tab, chromedp.Navigate(url+"/operator")))
	until(t, tab, `document.querySelector('tbody th')?.textContent.includes('Monday club')`) // the tab keeps the token
}

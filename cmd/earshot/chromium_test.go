package main

import (
	"net/http"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/internal/chromium"
)

func TestOperatorPageInBrowser(t *testing.T) {
	t.Parallel()
	url, stop := served(t, "--operator-token", "a-token-for-the-operator", "--data", t.TempDir())
	defer func() { assert.Zero(t, stop()) }()
	status, body := get(t, http.MethodPost, url+"/api/rooms", "a-token-for-the-operator", `{"name":"Monday club"}`)
	require.Equal(t, http.StatusCreated, status, body)

	tab := chromium.Start(t)
	chromium.HoldToPolicy(t, tab)
	until := func(expression string) {
		t.Helper()
		chromium.Until(t, tab, expression)
	}
	chromium.Open(t, tab, url+"/operator")
	until(`!document.getElementById('ask').hidden`)
	chromium.RequireAccessible(t, tab, "the operator's page, which asks for the token")
	enter := func(token string) {
		require.NoError(t, chromedp.Do(tab, chromedp.SendKeys("#token", token), chromedp.Click("#ask button")))
	}
	enter("not-the-token-at-all")
	until(`document.getElementById('state').textContent.includes('not the operator')`)
	enter("a-token-for-the-operator")
	until(`document.querySelector('tbody th')?.textContent.includes('Monday club')`)
	until(`document.getElementById('ask').hidden && document.querySelectorAll('svg.chart').length === 4`)
	until(`[...document.querySelectorAll('.tiles dt')].find((d) => d.textContent === 'CPU').nextElementSibling.textContent !== '–'`) // it looks again
	// What stands beside an axis stays as wide as the chart has place for.
	chromium.Eval[bool](t, tab, `(() => {
		const server = fetch;
		window.fetch = async (path, ...how) => {
			const answer = await server(path, ...how);
			return path === '/operator/now' ? new Response((await answer.text()).replace(/>0<\/text>/g, '>8000</text>'), {status: answer.status}) : answer;
		};
		return true;
	})()`)
	until(`[...document.querySelectorAll('svg text')].some((e) => e.textContent === '8000')`)
	for _, scheme := range []string{"light", "dark"} {
		chromium.Prefer(t, tab, scheme)
		chromium.RequireAccessible(t, tab, "the operator's page, "+scheme)
	}
	chromium.Open(t, tab, url+"/operator")
	until(`document.querySelector('tbody th')?.textContent.includes('Monday club')`) // the tab keeps the token
}

package chromium

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// RequireAccessible has axe-core look at the page as it stands, and fails the
// test over what it finds. where says in words what page that is.
func RequireAccessible(t testing.TB, tab context.Context, where string) {
	t.Helper()
	if Eval[bool](t, tab, "!window.axe") {
		_, here, _, _ := runtime.Caller(0)
		axe, err := os.ReadFile(filepath.Join(filepath.Dir(here), "../../web/node_modules/axe-core/axe.min.js"))
		require.NoError(t, err, "axe-core is missing: make tools installs it")
		Eval[bool](t, tab, string(axe)+"; true")
	}
	found := Eval[[]string](t, tab, `axe.run(document, {resultTypes: ['violations']}).then(({violations}) =>
		violations.flatMap((v) => v.nodes.map((n) => v.id + ': ' + n.html.slice(0, 160) + ' | ' + n.failureSummary)))`)
	require.Empty(t, found, "%s: axe-core finds fault", where)
}

// Prefer has the page be seen by somebody who likes a colour scheme: "light" or
// "dark".
func Prefer(t testing.TB, tab context.Context, scheme string) {
	t.Helper()
	_, err := chromedp.Call(tab, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
	})
	require.NoError(t, err)
}

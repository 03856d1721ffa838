package browser_test

import (
	"os"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

func TestDocumentedBrowserSnippetRuns(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/interop.md")
	require.NoError(t, err)
	_, rest, found := strings.Cut(string(text), "```js\n")
	require.True(t, found, "docs/interop.md has a snippet for browsers")
	snippet, _, _ := strings.Cut(rest, "```")

	s := serve(t, "--open")
	c := sharedChromium(t)
	p := c.person("somebody")
	p.goTo(s.url)
	p.sees("Open a room")
	p.do(chromedp.MouseClickXY(5, 5)) // a page that nobody has touched may not play
	// As a console runs it: a script in which one may await.
	eval[bool](p, "(async () => { %s; return true; })()", snippet)
	p.await(`inbound().then(({packets, energy}) => packets > 100 && energy > 0)`)
}

package web_test

import (
	"encoding/json"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/signaling/wire"
	"github.com/earshot-audio/earshot/web"
)

// get asks the page's handler for a path.
func get(path string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	web.Handler(nil).ServeHTTP(w, r)
	return w
}

// sources calls f for every file of the page, by its path from this folder.
func sources(t *testing.T, f func(name string, data string)) {
	t.Helper()
	require.NoError(t, fs.WalkDir(os.DirFS("."), "app", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := os.ReadFile(name)
		f(name, string(data))
		return err
	}))
}

func TestThePageRunsNothingButItsOwnFiles(t *testing.T) {
	w := get("/")
	require.Equal(t, http.StatusOK, w.Code)
	policy := w.Header().Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", "frame-ancestors 'none'", "require-trusted-types-for 'script'"} {
		assert.Contains(t, policy, want)
	}
	assert.NotContains(t, policy, "unsafe")
	assert.NotContains(t, policy, "http")
	body := w.Body.String()
	assert.NotRegexp(t, regexp.MustCompile(`(?i)<script(\s[^>]*)?>[^<]`), body, "no inline script")
	assert.NotRegexp(t, regexp.MustCompile(`(?i)\s(on[a-z]+|style)=`), body, "no inline handler or style")
}

func TestEveryFileOfThePageIsServedWithItsType(t *testing.T) {
	sources(t, func(name, data string) {
		w := get("/" + name)
		require.Equal(t, http.StatusOK, w.Code, name)
		assert.NotEmpty(t, w.Header().Get("Content-Type"), "%s: give its ending a type in kinds", name)
		if filepath.Ext(name) == ".html" || filepath.Ext(name) == ".webmanifest" {
			assert.NotContains(t, w.Body.String(), "{{", "%s: the places of texts are filled", name)
			return
		}
		assert.Equal(t, data, w.Body.String(), name)
	})
	assert.Equal(t, http.StatusNotFound, get("/app/").Code)
	assert.Equal(t, http.StatusNotFound, get("/app/none.js").Code)
	assert.Equal(t, http.StatusNotFound, get("/app/../web.go").Code)
}

func TestNothingIsAPageForBrowsersAndALineForPrograms(t *testing.T) {
	program := get("/nowhere")
	assert.Equal(t, http.StatusNotFound, program.Code)
	assert.NotContains(t, program.Body.String(), "<")
	browser := get("/nowhere", "Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
	assert.Equal(t, http.StatusNotFound, browser.Code)
	assert.Contains(t, browser.Body.String(), "There is nothing here")
	assert.Equal(t, "text/html; charset=utf-8", browser.Header().Get("Content-Type"))
	assert.Contains(t, browser.Header().Get("Content-Security-Policy"), "default-src 'none'")
}

// What is read before a script runs, or without one, is in the language that the browser or the address
// asks for, and caches keep the languages apart.
func TestPageBeforeItsScriptIsInTheVisitorsLanguage(t *testing.T) {
	for _, path := range []string{"/", "/app/manifest.webmanifest", "/nowhere"} {
		english := get(path, "Accept", "text/html")
		german := get(path, "Accept", "text/html", "Accept-Language", "de-AT,en;q=0.5")
		assert.Equal(t, "en", english.Header().Get("Content-Language"), path)
		assert.Equal(t, "de", german.Header().Get("Content-Language"), path)
		assert.Equal(t, "Accept-Language", german.Header().Get("Vary"), path)
		assert.Equal(t, german.Body.String(), get(path+"?lang=de", "Accept", "text/html").Body.String(), path)
		assert.NotEqual(t, german.Body.String(), english.Body.String(), path)
		assert.NotContains(t, german.Body.String(), "{{", path)
		if tag := english.Header().Get("ETag"); tag != "" {
			again := get(path, "Accept-Language", "de", "If-None-Match", tag)
			assert.Equal(t, http.StatusOK, again.Code, "%s: that is the English one's", path)
		}
	}
	assert.Contains(t, get("/?lang=de").Body.String(), "<noscript>Für den Ton braucht earshot JavaScript.</noscript>")
	assert.Contains(t, get("/nowhere", "Accept", "text/html", "Accept-Language", "de").Body.String(), "Hier ist nichts")
	var manifest struct{ Lang, ID, Description string }
	require.NoError(t, json.Unmarshal(get("/app/manifest.webmanifest?lang=de").Body.Bytes(), &manifest))
	assert.Equal(t, []string{"de", "/"}, []string{manifest.Lang, manifest.ID}, "in any language it is the same app")
	assert.Contains(t, manifest.Description, "Live-Räume")
	assert.Empty(t, get("/app/main.js").Header().Get("Vary"))
}

func TestABrowserAsksEachTimeAndIsSentNothingTwice(t *testing.T) {
	first := get("/app/main.js")
	assert.Equal(t, "no-cache", first.Header().Get("Cache-Control"))
	again := get("/app/main.js", "If-None-Match", first.Header().Get("ETag"))
	assert.Equal(t, http.StatusNotModified, again.Code)
	assert.Empty(t, again.Body.String())
}

func TestThePageFetchesNothingFromElsewhere(t *testing.T) {
	elsewhere := regexp.MustCompile(`(?:https?:)?//[a-z0-9-]+\.[a-z]`)
	sources(t, func(name, data string) {
		if filepath.Ext(name) == ".txt" || filepath.Ext(name) == ".woff2" {
			return // a licence
		}
		data = strings.ReplaceAll(data, "http://www.w3.org/2000/svg", "") // a name, not an address
		assert.NotRegexp(t, elsewhere, data, name)
	})
}

func TestLanguagesAreThoseThatHaveAFile(t *testing.T) {
	w := get("/app/languages.json")
	require.Equal(t, http.StatusOK, w.Code)
	assert.Equal(t, "application/json", w.Header().Get("Content-Type"))
	var names map[string]string
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &names))
	files, err := filepath.Glob("app/lang/*")
	require.NoError(t, err)
	assert.Len(t, names, len(files))
	for tag, name := range names {
		assert.Contains(t, files, filepath.Join("app/lang", tag+".json"))
		assert.NotEmpty(t, name, tag)
	}
	assert.Equal(t, "English", names["en"])
}

// Left and right are where a line begins and ends, or the other way round: styles say
// which by logical properties.
func TestStylesHaveNoLeftAndRight(t *testing.T) {
	sided := regexp.MustCompile(`(?:^|[\s;{-])(?:left|right)\s*:|(?:text-align|float|clear)\s*:\s*(?:left|right)|-(?:left|right)(?:-radius)?\s*:`)
	edges := regexp.MustCompile(`(?:^|[\s;{])((?:margin|padding|inset|border-width)\s*:\s*([^;}]+))`)
	faults := func(css string) (found []string) {
		found = sided.FindAllString(css, -1)
		for _, m := range edges.FindAllStringSubmatch(css, -1) {
			if values := cssValues(m[2]); len(values) == 4 && values[1] != values[3] {
				found = append(found, m[1])
			}
		}
		return found
	}
	sources(t, func(name, data string) {
		if filepath.Ext(name) == ".css" {
			assert.Empty(t, faults(data), name)
		}
	})
	for css, want := range map[string]int{
		"a { margin-left: 1px }": 1, "a { left: 0; right: 0 }": 2, "a { text-align: right }": 1, "a { margin: 1px 2px 3px 4px }": 1,
		"a { border-top-left-radius: 1px }": 1, "a { margin: 1px 2px 3px 2px; padding: 0 calc(1px + 2px) }": 0, "a { margin-inline-start: 1px; text-align: start }": 0,
	} {
		assert.Len(t, faults(css), want, css)
	}
}

// cssValues splits the value of a property at the spaces outside parentheses.
func cssValues(value string) []string {
	depth := 0
	return strings.FieldsFunc(value, func(r rune) bool {
		switch r {
		case '(':
			depth++
		case ')':
			depth--
		}
		return r == ' ' && depth == 0
	})
}

// Those that the page has no advice for are told by their meaning.
func TestEveryErrorOfTheServerHasWords(t *testing.T) {
	data, err := os.ReadFile("app/lang/en.json")
	require.NoError(t, err)
	var texts map[string]any
	require.NoError(t, json.Unmarshal(data, &texts))
	for _, row := range wire.Codes() {
		advice, meaning := texts["ending."+string(row.Code)], texts["code."+string(row.Code)]
		assert.NotEqual(t, advice == nil, meaning == nil, "%s has one of the two", row.Code)
	}
}

func TestModulesStaySmall(t *testing.T) {
	sources(t, func(name, data string) {
		if filepath.Ext(name) == ".js" {
			assert.LessOrEqual(t, strings.Count(data, "\n"), 400, "%s: one noun a file", name)
		}
	})
}

// program finds what make tools installs.
func program(t *testing.T, path string) string {
	t.Helper()
	found, err := exec.LookPath(path)
	require.NoError(t, err, "%s is missing: make tools installs it (with npm ci in web)", path)
	return found
}

// Those of the operator's page and of the dashboard as well: tsconfig.json has
// what belongs to it.
func TestTheTypesOfThePagesFit(t *testing.T) {
	out, err := exec.Command(program(t, "node_modules/.bin/tsc"), "--noEmit").CombinedOutput()
	assert.NoError(t, err, "%s", out)
}

func TestTheUnitsOfThePage(t *testing.T) {
	out, err := exec.Command(program(t, "node"), "--test", "test/").CombinedOutput()
	assert.NoError(t, err, "%s", out)
}

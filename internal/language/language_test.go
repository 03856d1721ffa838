package language

import (
	"html"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestLanguagesOfRequest(t *testing.T) {
	table := func(name string) *fstest.MapFile {
		return &fstest.MapFile{Data: []byte(`{"name": "` + name + `", "count": {"one": "{n} thing", "other": "{n} things"}}`)}
	}
	all, err := Read(fstest.MapFS{"lang/de.json": table("Deutsch"), "lang/en.json": table("English"), "lang/pt-BR.json": table("Português")}, "lang")
	require.NoError(t, err)
	for _, row := range []struct {
		name, query, header, want string
	}{
		{"no wish is English", "", "", "en"},
		{"the header's language", "", "de", "de"},
		{"a region of it", "", "de-AT,en;q=0.5", "de"},
		{"the best liked, wherever it stands", "", "en;q=0.2, de ; q=0.9", "de"},
		{"in any case", "", "DE-ch", "de"},
		{"a relative, where there is no other", "", "pt-PT,de;q=0.1", "pt-BR"},
		{"the next, where there is none", "", "fr, de;q=0.1", "de"},
		{"what is not wanted at all is no wish", "", "de;q=0, en;q=0.1", "en"},
		{"anything is no language", "", "*", "en"},
		{"what is no header", "", ";;,=,q=1;de;q=x,\x00", "en"},
		{"a thousand languages", "", strings.Repeat("xx,", 1000) + "de", "en"},
		{"the address asks", "?lang=de", "en", "de"},
		{"for one that there is not", "?lang=xx", "de", "de"},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, "/"+row.query, nil)
			r.Header.Set("Accept-Language", row.header)
			assert.Equal(t, row.want, all.Of(r).Tag)
		})
	}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	assert.Equal(t, "de", all.OfOr(r, "de").Tag)
	assert.Equal(t, "en", all.OfOr(r, "").Tag)
	r.Header.Set("Accept-Language", "en")
	assert.Equal(t, "en", all.OfOr(r, "de").Tag)
	assert.Equal(t, []string{"de", "en", "pt-BR"}, all.Tags())
	assert.Equal(t, "count", all.In("de").Get("count"), "plural forms are the page's")
	var none *Languages
	assert.Equal(t, "a.key", none.Of(httptest.NewRequest(http.MethodGet, "/", nil)).Get("a.key"))

	_, err = Read(fstest.MapFS{"lang/de.json": {Data: []byte("{")}}, "lang")
	require.ErrorContains(t, err, "de.json")
	_, err = Read(fstest.MapFS{}, "lang")
	require.Error(t, err)
}

func TestTextsFillAFile(t *testing.T) {
	texts := Texts{Tag: "de", table: map[string]string{"a.b": `<"{name}">`}}
	assert.Equal(t, `<"Bo">`, texts.Get("a.b", "name", "Bo"))
	assert.Equal(t, `<"{other}">`, texts.Get("a.b", "name", "{other}"), "a value has no values")
	filled := texts.Fill([]byte(`<p lang="{{language.tag}}">{{a.b}} {{a.c}} {{ }}</p>`), html.EscapeString)
	assert.Equal(t, `<p lang="de">&lt;&#34;{name}&#34;&gt; a.c {{ }}</p>`, string(filled))
	assert.True(t, HasPlaces([]byte("{{a.b}}")))
	assert.False(t, HasPlaces([]byte("{a.b} {{}}")))
}

// The languages of the page write a date as one would; what Intl.DateTimeFormat calls days and months is
// held against the tables in web/test/language.test.js.
func TestTextsDate(t *testing.T) {
	all, err := Read(os.DirFS("../../web/app"), "lang")
	require.NoError(t, err)
	at := time.Date(2026, 12, 4, 20, 5, 0, 0, time.FixedZone("", 60*60))
	assert.Equal(t, "Friday, 4 December 2026, 20:05 (UTC+01:00)", all.In("en").Date(at))
	assert.Equal(t, "Freitag, 4. Dezember 2026, 20:05 (UTC+01:00)", all.In("de").Date(at))
	assert.Equal(t, "Sunday, 29 March 2026, 00:00 (UTC)", all.In("en").Date(time.Date(2026, 3, 29, 0, 0, 0, 0, time.UTC)))
}

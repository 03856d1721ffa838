// Package language has the texts of what the server itself writes for people, in the visitor's
// language: previews of links, calendar files, the web app's manifest, and pages before their script
// runs. The texts are those of the page, in one table a language.
package language

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// fallback is the language of who wants none that there is.
const fallback = "en"

// Languages are the tables of all languages. They never change. Nil has none.
type Languages struct {
	tags   []string
	tables map[string]map[string]string
}

// Read reads the languages in a folder: a JSON object each, in a file named after its tag (RFC 5646).
// Texts with plural forms are left out: only the page has those.
func Read(files fs.FS, folder string) (*Languages, error) {
	entries, err := fs.ReadDir(files, folder)
	if err != nil {
		return nil, fmt.Errorf("read the languages: %w", err)
	}
	l := &Languages{tables: make(map[string]map[string]string)}
	for _, entry := range entries {
		data, err := fs.ReadFile(files, path.Join(folder, entry.Name()))
		if err != nil {
			return nil, fmt.Errorf("read a language: %w", err)
		}
		var all map[string]any
		if err := json.Unmarshal(data, &all); err != nil {
			return nil, fmt.Errorf("read the language %s: %w", entry.Name(), err)
		}
		tag, table := strings.TrimSuffix(entry.Name(), ".json"), make(map[string]string)
		for key, text := range all {
			if text, ok := text.(string); ok {
				table[key] = text
			}
		}
		l.tags, l.tables[tag] = append(l.tags, tag), table
	}
	return l, nil
}

// Tags returns the languages' tags, in order.
func (l *Languages) Tags() []string {
	if l == nil {
		return nil
	}
	return slices.Clone(l.tags)
}

// Vary is the value of the header by which caches tell the languages of an address apart. The query
// is part of the address.
const Vary = "Accept-Language"

// Of returns the texts for a request: in the language that its address asks for (?lang=), else in the
// one that its sender likes best (RFC 9110, section 12.5.4), else in English.
func (l *Languages) Of(r *http.Request) Texts { return l.OfOr(r, fallback) }

// OfOr is Of with another language in the place of English.
func (l *Languages) OfOr(r *http.Request, otherwise string) Texts {
	if l == nil {
		return Texts{Tag: fallback}
	}
	wishes := append([]string{r.URL.Query().Get("lang")}, accepted(r.Header.Values("Accept-Language"))...)
	return l.In(choose(append(wishes, otherwise), l.tags))
}

// In returns the texts of a language.
func (l *Languages) In(tag string) Texts { return Texts{Tag: tag, table: l.tables[tag]} }

// maxWishes bounds how many languages of a request are looked at.
const maxWishes = 32

// accepted returns the tags of an Accept-Language header, the best liked first.
func accepted(values []string) (tags []string) {
	type wish struct {
		tag    string
		weight float64
	}
	var wishes []wish
	for _, field := range strings.Split(strings.Join(values, ","), ",") {
		tag, parameter, weighted := strings.Cut(field, ";")
		w := wish{strings.TrimSpace(tag), 1}
		if weighted {
			q, ok := strings.CutPrefix(strings.ToLower(strings.ReplaceAll(parameter, " ", "")), "q=")
			weight, err := strconv.ParseFloat(q, 64)
			if !ok || err != nil {
				continue
			}
			w.weight = weight
		}
		if w.tag != "" && w.weight > 0 && len(wishes) < maxWishes {
			wishes = append(wishes, w)
		}
	}
	slices.SortStableFunc(wishes, func(a, b wish) int { return cmp.Compare(b.weight, a.weight) })
	for _, w := range wishes {
		tags = append(tags, w.tag)
	}
	return tags
}

// choose returns the first language wished for that there is, or a relative of it; else English. The
// page chooses the same way (web/app/language.js).
func choose(wishes, known []string) string {
	find := func(is func(tag string) bool) string {
		if at := slices.IndexFunc(known, func(tag string) bool { return is(strings.ToLower(tag)) }); at >= 0 {
			return known[at]
		}
		return ""
	}
	for _, wish := range wishes {
		parts := strings.Split(strings.ToLower(wish), "-")
		for n := len(parts); n > 0; n-- {
			want := strings.Join(parts[:n], "-")
			if tag := find(func(tag string) bool { return tag == want }); tag != "" {
				return tag
			}
		}
		relative := func(tag string) bool { first, _, _ := strings.Cut(tag, "-"); return first == parts[0] }
		if tag := find(relative); tag != "" {
			return tag
		}
	}
	return fallback
}

// Texts are the texts of one language. It is a value.
type Texts struct {
	Tag   string
	table map[string]string
}

// Get returns the text of a key, with its values by their names, one after another ("name", "Ada").
// What has no text is shown by its key.
func (t Texts) Get(key string, values ...string) string {
	text, ok := t.table[key]
	if !ok {
		return key
	}
	pairs := make([]string, 0, len(values))
	for i := 0; i+1 < len(values); i += 2 {
		pairs = append(pairs, "{"+values[i]+"}", values[i+1])
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

// place is where a text goes in a file: {{a.key}}. The key language.tag is the language's tag.
var place = regexp.MustCompile(`\{\{([a-z_.]+)\}\}`)

// HasPlaces reports whether a file has places for texts.
func HasPlaces(data []byte) bool { return place.Match(data) }

// Fill puts texts in their places in a file. escape makes a text part of it.
func (t Texts) Fill(data []byte, escape func(string) string) []byte {
	return place.ReplaceAllFunc(data, func(found []byte) []byte {
		key := string(found[2 : len(found)-2])
		if key == "language.tag" {
			return []byte(escape(t.Tag))
		}
		return []byte(escape(t.Get(key)))
	})
}

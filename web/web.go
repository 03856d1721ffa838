// Package web is the room page: what a browser gets from an earshot server at
// "/". It is plain ES modules, style sheets and a font, embedded as they stand
// in the tree; nothing is built and nothing is fetched from elsewhere.
//
// The page is a client like any other: it speaks what docs/protocol.md says, and
// the server owes it nothing. Its types are checked by the TypeScript compiler
// in this package's tests.
package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/json"
	"html"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/earshot-audio/earshot/internal/language"
)

//go:embed app
var files embed.FS

// Prefix is the path below which the page's own files are.
const Prefix = "/app/"

// policy lets the page run and load what this server sent it, and talk to this
// server; nothing else. With Trusted Types and no policy of its own, the page
// cannot turn text into markup even by mistake.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self'; " +
	"manifest-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; " +
	"require-trusted-types-for 'script'; trusted-types 'none'"

// kinds are the media types of the page's files. The table of package mime is
// not asked: it differs from machine to machine.
var kinds = map[string]string{
	".html":        "text/html; charset=utf-8",
	".js":          "text/javascript; charset=utf-8",
	".css":         "text/css; charset=utf-8",
	".json":        "application/json",
	".svg":         "image/svg+xml",
	".png":         "image/png",
	".woff2":       "font/woff2",
	".webmanifest": "application/manifest+json",
	".txt":         "text/plain; charset=utf-8",
}

// file is one file of the page, ready to be sent.
type file struct {
	name, kind, tag string
	data            []byte
	// spoken is the file in each language, by the language's tag; nil: it has no texts of its own.
	spoken map[string]file
}

// languages is the path of the list of the page's languages: an object with their names, by tag.
const languages = Prefix + "languages.json"

// Languages has the texts of the page, for what the server itself writes.
var Languages = sync.OnceValue(func() *language.Languages {
	l, err := language.Read(files, "app/lang")
	if err != nil {
		panic(err) // the files are compiled in, and the tests read them
	}
	return l
})

// missing is the file that says that there is nothing at an address.
const missing = "notfound.html"

// Handler serves the page: "/" and what is below [Prefix]. Other paths are
// answered with 404, and with a page that says so to a browser. sockets returns the origins of other servers whose WebSockets
// the page may open (nil: none): those that it may be sent to. It is safe for
// concurrent use.
func Handler(sockets func() []string) http.Handler {
	all := make(map[string]file)
	// The tree is compiled in: walking it cannot fail.
	_ = fs.WalkDir(files, "app", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := files.ReadFile(name)
		if err != nil {
			return err
		}
		f := newFile(name, data)
		f.speak()
		all["/"+name] = f
		return nil
	})
	all["/"] = all[Prefix+"index.html"]
	all[languages] = newFile(languages, languageNames(all))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f, ok := all[r.URL.Path]
		if !ok {
			all[Prefix+missing].serveMissing(w, r)
			return
		}
		allowed := policy
		if sockets != nil {
			allowed = strings.Replace(policy, "connect-src 'self'", strings.Join(append([]string{"connect-src 'self'"}, sockets()...), " "), 1)
		}
		f.in(w, r).serve(w, r, allowed)
	})
}

// speak fills the file in each language, if it has places for texts: what is read before a script
// runs, or without one.
func (f *file) speak() {
	if (f.kind != kinds[".html"] && f.kind != kinds[".webmanifest"]) || !language.HasPlaces(f.data) {
		return
	}
	escape := html.EscapeString
	if f.kind == kinds[".webmanifest"] {
		escape = func(text string) string {
			quoted, _ := json.Marshal(text) // a string can't fail
			return string(quoted[1 : len(quoted)-1])
		}
	}
	f.spoken = make(map[string]file)
	for _, tag := range Languages().Tags() {
		f.spoken[tag] = newFile(f.name, Languages().In(tag).Fill(f.data, escape))
	}
}

// in returns the file in the language of who asks, and says so in the answer.
func (f file) in(w http.ResponseWriter, r *http.Request) file {
	if f.spoken == nil {
		return f
	}
	tag := Languages().Of(r).Tag
	w.Header().Set("Content-Language", tag)
	w.Header().Add("Vary", language.Vary)
	return f.spoken[tag]
}

func newFile(name string, data []byte) file {
	sum := sha256.Sum256(data)
	return file{name: name, kind: kinds[path.Ext(name)], tag: `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`, data: data}
}

// languageNames lists the languages that have a file: adding one takes nothing else.
func languageNames(all map[string]file) []byte {
	names := map[string]string{}
	for address, f := range all {
		if path.Dir(address) != path.Join(Prefix, "lang") {
			continue
		}
		var texts struct {
			Name string `json:"language.name"`
		}
		_ = json.Unmarshal(f.data, &texts) // the tests read every language
		names[strings.TrimSuffix(path.Base(address), ".json")] = texts.Name
	}
	data, _ := json.Marshal(names) // strings can't fail
	return data
}

// serve sends a file, or 304 if the browser has this very one. A browser asks
// each time: a page of one version must not run with modules of another.
func (f file) serve(w http.ResponseWriter, r *http.Request, policy string) {
	header := w.Header()
	header.Set("Content-Type", f.kind)
	header.Set("ETag", f.tag)
	header.Set("Cache-Control", "no-cache")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "no-referrer")
	if strings.HasPrefix(f.kind, "text/html") {
		header.Set("Content-Security-Policy", policy)
		header.Set("Permissions-Policy", "microphone=(self), camera=(), geolocation=()")
		header.Set("Cross-Origin-Opener-Policy", "same-origin")
	}
	http.ServeContent(w, r, f.name, time.Time{}, bytes.NewReader(f.data))
}

// serveMissing answers a request with 404: a browser gets the file, a program a line.
func (f file) serveMissing(w http.ResponseWriter, r *http.Request) {
	if !strings.Contains(r.Header.Get("Accept"), "text/html") {
		http.NotFound(w, r)
		return
	}
	f = f.in(w, r)
	header := w.Header()
	header.Set("Content-Type", f.kind)
	header.Set("Content-Security-Policy", policy)
	w.WriteHeader(http.StatusNotFound)
	if r.Method != http.MethodHead {
		_, _ = w.Write(f.data)
	}
}

// Package scenarios holds the scenarios and recordings that come with earshot, so that
// the program alone can play them.
package scenarios

import (
	"embed"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/earshot-audio/earshot/internal/spelling"
)

//go:embed *.yaml audio/*.ogg
var files embed.FS

// Names returns the names of the scenarios, in alphabetical order.
func Names() []string { return names("*.yaml") }

// Recordings returns the names of the recordings, in alphabetical order.
func Recordings() []string { return names("audio/*.ogg") }

func names(pattern string) (all []string) {
	found, _ := fs.Glob(files, pattern) // the pattern is well formed
	for _, file := range found {
		all = append(all, strings.TrimSuffix(path.Base(file), path.Ext(file)))
	}
	slices.Sort(all)
	return all
}

// Read returns the text of a scenario.
func Read(name string) ([]byte, error) {
	return read("scenario", name, name+".yaml", Names())
}

// Recording returns a recording, as an Ogg Opus file.
func Recording(name string) ([]byte, error) {
	return read("recording", name, "audio/"+name+".ogg", Recordings())
}

func read(what, name, file string, known []string) ([]byte, error) {
	if !slices.Contains(known, name) {
		return nil, fmt.Errorf("no %s %q comes with earshot: %s", what, name, spelling.Hint(name, known))
	}
	return files.ReadFile(file)
}

// Question returns what a scenario asks, in one sentence: the first of its text's
// opening comment that ends with a question mark; empty if there is none.
func Question(text []byte) string {
	var comment []string
	for line := range strings.Lines(string(text)) {
		line, isComment := strings.CutPrefix(strings.TrimSpace(line), "#")
		if !isComment {
			break
		}
		if line = strings.TrimSpace(line); !strings.HasPrefix(line, "yaml-language-server:") {
			comment = append(comment, line)
		}
	}
	question, _, found := strings.Cut(strings.TrimSpace(strings.Join(comment, " ")), "?")
	if !found {
		return ""
	}
	return question + "?"
}

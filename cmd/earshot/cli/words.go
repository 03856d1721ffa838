package cli

import (
	"regexp"

	"github.com/spf13/pflag"

	"github.com/earshot-audio/earshot/internal/shellword"
	"github.com/earshot-audio/earshot/internal/urltext"
)

// secretFlag matches the names of flags whose values let somebody in.
var secretFlag = regexp.MustCompile(`token|secret|password|key`)

// FlagWords are a flag and its values, as one gives them in a shell. It has … for secrets.
func FlagWords(f *pflag.Flag) (words []string) {
	values := []string{f.Value.String()}
	if several, ok := f.Value.(pflag.SliceValue); ok {
		values = several.GetSlice()
	}
	for _, v := range values {
		switch {
		case f.Value.Type() == "bool" && v == "true":
			words = append(words, "--"+f.Name)
		case f.Value.Type() == "bool":
			words = append(words, "--"+f.Name+"="+v)
		case secretFlag.MatchString(f.Name):
			words = append(words, "--"+f.Name, urltext.Hidden)
		default:
			words = append(words, "--"+f.Name, shellword.Quote(urltext.Scrub(v)))
		}
	}
	return words
}

package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The commands of the manifests are commands of this build, with flags that it has.
// tools/deploy checks the rest of the manifests.
func TestCommandsOfDeployAreOurs(t *testing.T) {
	// Kubernetes and Compose put values in their place.
	variable := regexp.MustCompile(`\$\(\w+\)|\$\{\w+(:-(\w+))?\}`)
	found := 0
	require.NoError(t, filepath.WalkDir("../../deploy", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".yaml" {
			return err
		}
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		for document := range strings.SplitSeq(string(text), "\n---\n") {
			var parsed any
			require.NoError(t, yaml.Unmarshal([]byte(document), &parsed), path)
			for _, args := range commandsIn(parsed) {
				found++
				for i, a := range args {
					args[i] = variable.ReplaceAllString(a, "${2}1")
				}
				_, stderr, code := command(t, append(args, "--help")...)
				assert.Zero(t, code, "%s: %q: %s", path, args, stderr)
			}
		}
		return nil
	}))
	assert.NotZero(t, found)
}

// commandsIn returns the commands in what was read from a file: the values of args of
// containers of Kubernetes, and of command and healthcheck.test of services of Compose.
func commandsIn(parsed any) (all [][]string) {
	switch v := parsed.(type) {
	case []any:
		for _, inner := range v {
			all = append(all, commandsIn(inner)...)
		}
	case map[string]any:
		for key, inner := range v {
			list, ok := inner.([]any)
			if !ok || key != "args" && key != "command" && key != "test" {
				all = append(all, commandsIn(inner)...)
				continue
			}
			var args []string
			for _, a := range list {
				args = append(args, a.(string))
			}
			if key == "test" {
				args = args[2:] // CMD earshot
			}
			all = append(all, args)
		}
	}
	return all
}

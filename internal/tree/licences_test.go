package tree_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// licences are known by what their texts say. The first that fits counts.
var licences = []struct {
	name string
	says *regexp.Regexp
}{
	{"Apache-2.0", regexp.MustCompile(`Apache License\s+Version 2\.0`)},
	{"MPL-2.0", regexp.MustCompile(`Mozilla Public License,? Version 2\.0`)},
	{"MIT", regexp.MustCompile(`Permission is hereby granted, free of charge`)},
	{"BSD-3-Clause", regexp.MustCompile(`Redistribution and use in source and binary forms[\s\S]*[Nn]either the name`)},
	{"Unlicense", regexp.MustCompile(`released into the public domain`)},
	{"BSD-2-Clause", regexp.MustCompile(`Redistribution and use in source and binary forms`)},
}

// The document lists every module that the program is built with, by its licence.
func TestDependenciesDocumentListsTheLicences(t *testing.T) {
	list := exec.CommandContext(t.Context(), "go", "list", "-deps",
		"-f", "{{with .Module}}{{if not .Main}}{{.Path}}\t{{.Dir}}{{end}}{{end}}", "./cmd/earshot")
	list.Env = append(os.Environ(), "GOOS=linux")
	list.Stderr = os.Stderr
	out, err := list.Output()
	require.NoError(t, err)
	modules := map[string][]string{}
	for line := range strings.Lines(string(out)) {
		if path, dir, ok := strings.Cut(strings.TrimSpace(line), "\t"); ok {
			name := licenceOf(t, dir)
			if !slices.Contains(modules[name], path) {
				modules[name] = append(modules[name], path)
			}
		}
	}
	text, err := os.ReadFile("docs/dependencies.md")
	require.NoError(t, err)
	for name, paths := range modules {
		slices.Sort(paths)
		row := "| " + name + " | `" + strings.Join(paths, "`, `") + "` |"
		assert.Contains(t, string(text), row+"\n")
	}
	assert.Equal(t, len(modules), strings.Count(section(string(text), "## Licences"), "\n| ")-1, "rows below the heading")
}

// licenceOf names the licence of the module in a folder.
func licenceOf(t *testing.T, dir string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*LICENSE*"))
	require.NoError(t, err)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // a folder of further licences
		}
		for _, l := range licences {
			if l.says.Match(text) {
				return l.name
			}
		}
	}
	require.Fail(t, "no licence that is known", dir)
	return ""
}

// section is what a document says below a heading, until the next of its rank.
func section(text, heading string) string {
	_, below, _ := strings.Cut(text, "\n"+heading+"\n")
	below, _, _ = strings.Cut(below, "\n## ")
	return below
}

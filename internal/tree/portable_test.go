package tree_test

import (
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A listedPackage is what go list says about a package.
type listedPackage struct {
	ImportPath, Dir string
	GoFiles         []string
	ImportMap       map[string]string // where an import is another path
	Module          *struct{ Main bool }
}

// Types are checked, and nothing is compiled, which takes a tenth of the time. "make
// portable" builds.
func TestTreeBuildsForOtherSystems(t *testing.T) {
	if testing.Short() {
		t.Skip("it reads everything twice")
	}
	for _, system := range []string{"darwin", "windows"} {
		t.Run(system, func(t *testing.T) {
			t.Parallel()
			for _, err := range typeErrors(t, listPackages(t, system)) {
				assert.NoError(t, err)
			}
		})
	}
}

// listPackages lists the packages of the tree and all that they import, imports first.
func listPackages(t *testing.T, system string) []listedPackage {
	t.Helper()
	list := exec.CommandContext(t.Context(), "go", "list", "-deps", "-json=ImportPath,Dir,GoFiles,ImportMap,Module", "./...")
	list.Env = append(os.Environ(), "GOOS="+system, "CGO_ENABLED=0")
	out, err := list.StdoutPipe()
	require.NoError(t, err)
	list.Stderr = os.Stderr
	require.NoError(t, list.Start())
	var packages []listedPackage
	d := json.NewDecoder(out)
	for {
		var p listedPackage
		err := d.Decode(&p)
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		packages = append(packages, p)
	}
	require.NoError(t, list.Wait())
	return packages
}

// typeErrors checks the types of packages, and returns what is wrong in the tree's own. Of
// the others only the declarations are read.
func typeErrors(t *testing.T, packages []listedPackage) []error {
	t.Helper()
	var found []error
	files, checked := token.NewFileSet(), map[string]*types.Package{"unsafe": types.Unsafe}
	for _, p := range packages {
		if p.ImportPath == "unsafe" {
			continue
		}
		own := p.Module != nil && p.Module.Main
		var parsed []*ast.File
		for _, name := range p.GoFiles {
			f, err := parser.ParseFile(files, filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
			require.NoError(t, err)
			parsed = append(parsed, f)
		}
		config := types.Config{
			IgnoreFuncBodies: !own,
			Sizes:            types.SizesFor("gc", runtime.GOARCH),
			Importer: importerFunc(func(path string) (*types.Package, error) {
				if other, ok := p.ImportMap[path]; ok {
					path = other
				}
				return checked[path], nil
			}),
			Error: func(err error) {
				if own {
					found = append(found, err)
				}
			},
		}
		checked[p.ImportPath], _ = config.Check(p.ImportPath, files, parsed, nil)
	}
	return found
}

type importerFunc func(path string) (*types.Package, error)

// Import implements types.Importer.
func (f importerFunc) Import(path string) (*types.Package, error) { return f(path) }

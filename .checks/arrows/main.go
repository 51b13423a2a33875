// Arrows checks the house: which package imports what, what stands at the top
// level, and how things are named and how long functions are. It reads every Go
// file, those for other systems included, prints each offence, and exits 1 if
// there is one. Run it from the module's folder.
package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

const module = "goldfish"

type inspector struct {
	files    *token.FileSet
	packages map[string]bool
	arrows   int
	offences []string
}

func main() {
	in := &inspector{files: token.NewFileSet(), packages: map[string]bool{}}
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "node_modules" || d.Name() == "testdata") {
				return filepath.SkipDir
			}
			return nil
		}
		if strings.HasSuffix(name, ".go") {
			return in.file(filepath.ToSlash(name))
		}
		return nil
	})
	if err == nil {
		err = in.top()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "arrows:", err)
		os.Exit(2)
	}
	for _, o := range in.offences {
		fmt.Println(o)
	}
	fmt.Printf("arrows: %d packages, %d imports, %d offences\n", len(in.packages), in.arrows, len(in.offences))
	if len(in.offences) > 0 {
		os.Exit(1)
	}
}

func (in *inspector) offend(pos token.Pos, format string, args ...any) {
	in.offences = append(in.offences, in.files.Position(pos).String()+": "+fmt.Sprintf(format, args...))
}

// top judges what git knows at the top level: build products are nobody's concern.
func (in *inspector) top() error {
	out, err := exec.Command("git", "ls-files", "--cached", "--others", "--exclude-standard").Output()
	if err != nil {
		return fmt.Errorf("git ls-files: %w", err)
	}
	var seen []string
	for name := range strings.Lines(string(out)) {
		first, _, _ := strings.Cut(strings.TrimSpace(name), "/")
		if !strings.HasPrefix(first, ".") && !slices.Contains(topLevel, first) && !slices.Contains(seen, first) {
			seen = append(seen, first)
			in.offences = append(in.offences, first+": not a name of the top level")
		}
	}
	return nil
}

func (in *inspector) file(name string) error {
	f, err := parser.ParseFile(in.files, name, nil, parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	dir := path.Dir(name)
	if dir == "." {
		dir = ""
	}
	test := strings.HasSuffix(name, "_test.go")
	in.packages[dir] = true
	in.imports(f, dir, test)
	in.names(f)
	for _, d := range f.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok && !test {
			if n := in.lines(fn); n > mostFunctionLines {
				in.offend(fn.Pos(), "%s has %d lines, more than %d", fn.Name.Name, n, mostFunctionLines)
			}
		}
	}
	if n := in.lines(f); name == "main.go" && n > mostMainLines {
		in.offend(f.Pos(), "main.go has %d lines, more than %d", n, mostMainLines)
	}
	return nil
}

func (in *inspector) lines(n ast.Node) int {
	return in.files.Position(n.End()).Line - in.files.Position(n.Pos()).Line + 1
}

func (in *inspector) imports(f *ast.File, dir string, test bool) {
	r, ok := house[dir]
	if !ok {
		in.offend(f.Package, "package %q is not in the plan of the house", dir)
		return
	}
	may := slices.Concat(r.ours, r.theirs)
	if test {
		may = slices.Concat(may, r.tests, testing, []string{dir})
	}
	for _, spec := range f.Imports {
		target, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			in.offend(spec.Pos(), "%v", err)
			continue
		}
		own := target == module || strings.HasPrefix(target, module+"/")
		if !own && !strings.Contains(strings.Split(target, "/")[0], ".") {
			continue // the standard library
		}
		in.arrows++
		if own {
			target = strings.TrimPrefix(strings.TrimPrefix(target, module), "/")
			if slices.Contains(may, "*") || slices.Contains(may, target) {
				continue
			}
		} else if slices.ContainsFunc(may, func(m string) bool { return target == m || strings.HasPrefix(target, m+"/") }) {
			continue
		}
		in.offend(spec.Pos(), "a new arrow: %q → %q", dir, target)
	}
}

// names judges the names of the package, of its types and of its functions.
func (in *inspector) names(f *ast.File) {
	in.name(f.Name)
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			in.name(d.Name)
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				if t, ok := spec.(*ast.TypeSpec); ok {
					in.name(t.Name)
				}
			}
		}
	}
}

func (in *inspector) name(id *ast.Ident) {
	for _, word := range words(id.Name) {
		if slices.Contains(vague, word) {
			in.offend(id.Pos(), "%s: %q says nothing", id.Name, word)
		}
	}
}

// words splits a Go name: "newHTTPBase64_x" is new, http, base64, x.
func words(name string) []string {
	var out []string
	rs := []rune(name)
	start := 0
	cut := func(i int) {
		if i > start {
			out = append(out, strings.ToLower(string(rs[start:i])))
		}
		start = i
	}
	for i, r := range rs {
		switch {
		case r == '_':
			cut(i)
			start = i + 1
		case unicode.IsUpper(r) && i > 0 && (!unicode.IsUpper(rs[i-1]) || i+1 < len(rs) && unicode.IsLower(rs[i+1])):
			cut(i)
		}
	}
	cut(len(rs))
	return out
}

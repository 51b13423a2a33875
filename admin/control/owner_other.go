//go:build !unix

package control

import "io/fs"

// ownFolder trusts a folder: the temporary one is the user's own here.
func ownFolder(info fs.FileInfo) bool { return info.IsDir() }

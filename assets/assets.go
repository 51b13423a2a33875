// Package assets holds what the binary serves from itself: sentences in both
// languages, the client libraries, and the vectors that they are checked by.
package assets

import "embed"

// I18N holds i18n/zh.json and i18n/en.json: sentences by their code.
//
//go:embed i18n/zh.json i18n/en.json
var I18N embed.FS

// SDK holds the client libraries, sdk/vectors.json and what goes with them.
//
//go:embed sdk/vectors.json sdk/python/goldfish.py sdk/python/sample_app.py
var SDK embed.FS

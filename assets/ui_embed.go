package assets

import "embed"

// UI holds the console as it was built, ui/dist.
//
//go:embed all:ui/dist
var UI embed.FS

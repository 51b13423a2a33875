// Goldfish is a card-key licensing server: one binary, one file. See README.md.
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/DeRuina/timberjack"

	"goldfish/admin"
	"goldfish/admin/backup"
	"goldfish/admin/config"
	"goldfish/admin/daemon"
	"goldfish/hub"
	"goldfish/license"
	"goldfish/license/clientapi"
	"goldfish/license/web"
)

// Set when the binary is linked; bcryptCost by tests alone.
var version, bcryptCost = "dev", "12"

const (
	apiVersion = "1.0"           // of the interface, in its document
	cacheBytes = 16 << 20        // of decoded rows
	reserve    = 64 << 20        // on the disk, for when it is full
	stopMost   = 4 * time.Second // from the signal to the end, come what may: the file bears that
)

func main() {
	c, err := config.Parse(os.Args[1:], os.Stdout)
	if err == nil {
		err = run(c)
	}
	if err != nil {
		f := failure(err)
		fmt.Fprintln(os.Stderr, f.Sentence(c.Lang()))
		os.Exit(f.ExitCode())
	}
}

func run(c *config.Command) error {
	switch c.Name {
	case "": // help was asked for, and given
	case "serve":
		return daemon.Run("goldfish", func(ctx context.Context, ready func()) error { return serve(ctx, ready, c.Serve) })
	case "openapi":
		return printDocument()
	case "version":
		fmt.Println("goldfish", version)
	default:
		told, err := admin.Do(context.Background(), c, func(p config.Place) (license.Options, error) {
			return options(p, slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})), false)
		})
		if told != "" {
			fmt.Println(told)
		}
		return err
	}
	return nil
}

// failure puts an error into words: those of a fault stand under its code.
func failure(err error) *config.Failure {
	if f, ok := errors.AsType[*config.Failure](err); ok {
		return f
	}
	f := backup.Explain("", err)
	out := config.Fail(f.Code).Because(err)
	for name, value := range f.Args {
		out.With(name, value)
	}
	return out
}

// options are what the file of a place is opened with. create lets a machine key be made where none is.
func options(p config.Place, log *slog.Logger, create bool) (license.Options, error) {
	o := license.Options{Clock: time.Now, Rand: rand.Reader, Log: log, Release: version, CacheBytes: cacheBytes, Reserve: reserve}
	src, err := p.Key()
	if err != nil {
		return o, err
	}
	if o.BcryptCost, err = strconv.Atoi(bcryptCost); err != nil {
		return o, err
	}
	if o.StateDir, err = p.StateFolder(); err != nil {
		return o, err
	}
	src.Warn(log)
	o.MachineKey, err = backup.MachineKey(src.Text, src.Path, create && src.Create, rand.Reader)
	return o, err
}

// openLog writes app.log and error.log, each in files of 10 MB of which five old ones are kept, and to the terminal;
// quiet leaves the terminal out.
func openLog(dir string, level slog.Level) (log, quiet *slog.Logger, done func(), err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, nil, nil, err
	}
	all := &timberjack.Logger{Filename: filepath.Join(dir, "app.log"), MaxSize: 10, MaxBackups: 5, FileMode: 0o600}
	bad := &timberjack.Logger{Filename: filepath.Join(dir, "error.log"), MaxSize: 10, MaxBackups: 5, FileMode: 0o600}
	for _, file := range []*timberjack.Logger{all, bad} {
		if _, err := file.Write(nil); err != nil {
			return nil, nil, nil, err
		}
	}
	from, errorsOnly := &slog.HandlerOptions{Level: level}, &slog.HandlerOptions{Level: slog.LevelError}
	files := slog.NewMultiHandler(slog.NewJSONHandler(all, from), slog.NewJSONHandler(bad, errorsOnly))
	log = slog.New(slog.NewMultiHandler(slog.NewTextHandler(os.Stderr, from), files))
	return log, slog.New(files), func() { _ = errors.Join(all.Close(), bad.Close()) }, nil
}

// house is what answers at the two doors, what runs beside them, and the document of both.
type house struct {
	console, client admin.Door
	beside          []func(context.Context)
	document        []byte
}

func build(a *license.Authority, o web.Options, shown admin.Options) (h house, err error) {
	pages, err := admin.Pages()
	if err != nil {
		return h, err
	}
	shown.Hub, shown.Release = hub.New(hub.Options{MaxSockets: 1000, Log: o.Log}), version
	sockets := hub.New(hub.Options{Log: o.Log})
	h.console.Hub, h.client.Hub = shown.Hub, sockets // the caller's to close, also after an error
	o.Authority, o.Release, o.Server = a, apiVersion, "http://127.0.0.1:8000"
	client := web.New(o)
	o.Server, o.Fallback = "http://127.0.0.1:8990", pages
	console := web.New(o)
	push, err := clientapi.New(client, sockets)
	if err != nil {
		return h, err
	}
	shown.Client, shown.ClientHub = client, sockets
	desk, err := admin.New(console, shown)
	if err != nil {
		return h, err
	}
	h.console.Handler, h.client.Handler = console, client
	h.beside = []func(context.Context){a.Run, desk.Run, push.Run}
	if h.document, err = web.Document(client, console); err == nil {
		client.Describe(h.document)
		console.Describe(h.document)
	}
	return h, err
}

// printDocument needs the routes but no appliance: it makes one for a moment, in a folder that goes again.
func printDocument() error {
	dir, err := os.MkdirTemp("", "goldfish-openapi-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	a, err := license.Open(filepath.Join(dir, "goldfish.db"), license.Options{Clock: time.Now, Rand: rand.Reader, MachineKey: make([]byte, 32)})
	if err != nil {
		return err
	}
	defer a.Close()
	h, err := build(a, web.Options{}, admin.Options{})
	if err != nil {
		return err
	}
	_, err = os.Stdout.Write(h.document)
	return err
}

// serve is the appliance: it works until ctx ends.
func serve(ctx context.Context, ready func(), s config.Serve) error {
	config.LimitMemory()
	config.NoCores()
	context.AfterFunc(ctx, func() { time.AfterFunc(stopMost, func() { os.Exit(0) }) })
	log, quiet, closeLog, err := openLog(s.LogDir, s.LogLevel)
	if err != nil {
		return err
	}
	defer closeLog()
	listeners := web.Options{Log: log, PerSecond: s.Rate}
	return admin.Appliance{
		Settings: s, Version: version, Log: log, Quiet: quiet, Web: listeners,
		Options: func(create bool) (license.Options, error) {
			o, err := options(s.Place, log, create)
			o.StateDir = backup.StateFolder(o.StateDir, log)
			return o, err
		},
		Build: func(a *license.Authority, shown admin.Options) (admin.Door, admin.Door, []func(context.Context), error) {
			h, err := build(a, listeners, shown)
			return h.console, h.client, h.beside, err
		},
	}.Run(ctx, func(r config.Ready) { fmt.Println(r.Text(s.Lang)) }, ready)
}

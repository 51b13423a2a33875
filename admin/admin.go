// Package admin is what the console calls, and the console itself: the back office's routes under
// /api/v1/admin, the live socket beside them, and the pages that a browser loads.
package admin

import (
	"context"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"goldfish/admin/backup"
	"goldfish/hub"
	"goldfish/license"
	"goldfish/license/web"
)

// Options of New. What is shown of the appliance itself comes from here.
type Options struct {
	Hub        *hub.Hub // of the console's sockets alone, so that clients cannot fill it
	Release    string
	Started    time.Time
	DataFile   string
	ConsoleURL string
	ClientURL  string // where desktop apps reach the appliance; goes into the sample
	// Exchange asks the appliance to close its file, call fn, and open what lies there then; work names it (restore) to
	// whoever asks meanwhile. It returns at once: nil, or the fault busy. What became of it is told by State, and a
	// failure as system.error. fn brings back what was there before if it fails.
	Exchange func(work string, fn func() error) error
	// State is how the appliance stands; nil: ready.
	State   func(web.Lang) (StateOut, error)
	Checks  *backup.Checks // of the file
	Backups *backup.Keeper
	// Client and ClientHub are the other door, whose figures are shown beside the console's own.
	Client    *web.API
	ClientHub *hub.Hub
}

// Console is the back office of one appliance.
type Console struct {
	rules *license.Authority
	opts  Options
	log   *slog.Logger
	live  live

	uploads uploads
}

// New adds all routes of the console's listener to a. The caller runs Run beside the server and closes the hub
// after it.
func New(a *web.API, o Options) (*Console, error) {
	c := &Console{rules: a.Authority(), opts: o, log: a.Log()}
	if o.DataFile != "" {
		sweepUploads(filepath.Dir(o.DataFile))
	}
	if err := c.begin(); err != nil {
		return nil, err
	}
	web.RegisterStanding(a)
	web.RegisterSDK(a)
	web.RegisterSignIn(a, false)
	c.registerStanding(a)
	c.registerDashboard(a)
	c.registerApps(a)
	c.registerBatches(a)
	c.registerCards(a)
	c.registerExports(a)
	c.registerDevices(a)
	c.registerAnnouncements(a)
	c.registerAccounts(a)
	c.registerReceipts(a)
	c.registerJobs(a)
	c.registerKeyring(a)
	c.registerBackups(a)
	c.registerFile(a)
	c.registerUpload(a)
	c.registerMetrics(a)
	c.registerLive(a)
	return c, nil
}

// Run brings what happens to the console's sockets until ctx ends.
func (c *Console) Run(ctx context.Context) {
	defer c.uploads.clear()
	var both sync.WaitGroup
	both.Go(func() { c.followLog(ctx) })
	both.Go(func() { c.followMemory(ctx) })
	both.Wait()
}

// Ref is the path parameter of most routes.
type Ref struct {
	ID string `path:"id" maxLength:"64"`
}

// paged asks for one row more than the page holds, so that the cursor says truly whether the list goes on.
func paged[T any](limit int, list func(limit int) ([]*T, error)) (rows []*T, more bool, err error) {
	rows, err = list(limit + 1)
	if len(rows) > limit {
		return rows[:limit], true, err
	}
	return rows, false, err
}

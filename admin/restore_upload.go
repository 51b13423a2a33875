package admin

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"goldfish/admin/backup"
	"goldfish/license/fault"
	"goldfish/license/web"
)

const (
	uploadLife = 15 * time.Minute // of a checked upload that nobody confirms
	uploadName = "restore-upload-"
	uploadEnd  = ".part"
)

// UploadOut is a backup that was uploaded and checked, and how to restore it.
type UploadOut struct {
	ID     string          `json:"id"`
	Token  string          `json:"token" doc:"Proof of who uploaded it; good once, for a quarter of an hour"`
	Report BackupReportOut `json:"report"`
}

// uploads is the one backup that may have been uploaded to an empty appliance.
type uploads struct {
	mu      sync.Mutex
	busy    bool // one is on its way
	pending *upload
}

type upload struct {
	id, token, path string
	ends            *time.Timer
}

func (c *Console) registerUpload(a *web.API) {
	web.RouteUpload(a, web.Op{
		Method: "POST", Path: "/api/v1/admin/restore-upload", ID: "uploadBackup", Tag: "backups", Summary: "上传备份以恢复 · Upload a backup to restore",
		Detail: "仅限空系统,且只能在本机使用,无需登录。For an empty appliance and from this machine alone; nobody is signed in.",
		Public: true, Status: 201, Message: "upload_checked", Errors: []int{403, 409},
	}, "application/octet-stream", c.takeUpload)
	web.Route(a, web.Op{
		Method: "POST", Path: "/api/v1/admin/restore-upload/{id}/confirm", ID: "confirmUpload", Tag: "backups", Summary: "确认恢复 · Restore what was uploaded",
		Public: true, Status: 202, Message: "restore_started", Errors: []int{403, 404, 409},
	}, c.confirmUpload)
}

// mayUpload refuses whoever is not at an empty appliance's own machine.
func (c *Console) mayUpload(call *web.Call) error {
	if !call.Actor.Local {
		return fault.New(fault.Forbidden, "upload_only_local")
	}
	empty, err := c.rules.Empty()
	if err == nil && !empty {
		err = fault.New(fault.Forbidden, "upload_only_empty")
	}
	return err
}

// takeUpload keeps what is sent beside the file, as long as the disk has room, and checks it. What breaks off or is
// no good leaves nothing.
func (c *Console) takeUpload(call *web.Call, _ *struct{}, body io.Reader) (out UploadOut, err error) {
	if err := c.mayUpload(call); err != nil {
		return out, err
	}
	if !c.uploads.begin() {
		return out, fault.New(fault.Conflict, "upload_running")
	}
	var u *upload
	defer func() { c.uploads.end(u) }()
	var id [2][16]byte
	if _, err := io.ReadFull(rand.Reader, id[0][:]); err != nil {
		return out, err
	}
	if _, err := io.ReadFull(rand.Reader, id[1][:]); err != nil {
		return out, err
	}
	next := &upload{id: hex.EncodeToString(id[0][:]), token: hex.EncodeToString(id[1][:])}
	next.path = filepath.Join(filepath.Dir(c.rules.DB().Path()), uploadName+next.id+uploadEnd)
	r, err := c.receive(call, body, next.path)
	if err != nil {
		return out, err
	}
	u = next
	return UploadOut{ID: u.id, Token: u.token, Report: reportOut("", r)}, nil
}

// receive writes and checks; after an error there is no file.
func (c *Console) receive(call *web.Call, body io.Reader, path string) (r *backup.Report, err error) {
	defer func() {
		if err != nil {
			_ = os.Remove(path)
		}
	}()
	if err := backup.Receive(body, path); err != nil {
		return nil, err
	}
	call.Patience(verifyMost)
	r, err = c.opts.Backups.Judge(call.Ctx, path)
	if f, ok := errors.AsType[*fault.Error](err); ok && f.Args["path"] == path { // it has no name that means something
		err = f.With("path", call.Lang.Say("upload_itself", nil))
	}
	return r, err
}

type confirmIn struct {
	Ref
	Body struct {
		Token string `json:"token" maxLength:"64"`
	}
}

func (c *Console) confirmUpload(call *web.Call, in *confirmIn) (web.None, error) {
	if err := c.mayUpload(call); err != nil {
		return web.None{}, err
	}
	u := c.uploads.take(in.ID, in.Body.Token)
	if u == nil {
		return web.None{}, fault.New(fault.NotFound, "upload_unknown")
	}
	err := c.restore(u.path, func() { _ = os.Remove(u.path) })
	if err != nil { // it can be tried again
		c.uploads.put(u)
	}
	return web.None{}, err
}

// begin says whether an upload may begin; the one before goes.
func (s *uploads) begin() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.busy {
		return false
	}
	s.busy = true
	s.drop()
	return true
}

// end is the upload's end: u is nil if it is no good.
func (s *uploads) end(u *upload) {
	s.mu.Lock()
	s.busy = false
	s.mu.Unlock()
	if u != nil {
		s.put(u)
	}
}

// put keeps an upload until it is confirmed, or its time is over.
func (s *uploads) put(u *upload) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop()
	s.pending = u
	u.ends = time.AfterFunc(uploadLife, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.pending == u {
			s.drop()
		}
	})
}

// take hands out the upload of an id to whoever has its token.
func (s *uploads) take(id, token string) *upload {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.pending
	if u == nil || subtle.ConstantTimeCompare([]byte(id+" "+token), []byte(u.id+" "+u.token)) != 1 {
		return nil
	}
	u.ends.Stop()
	s.pending = nil
	return u
}

// drop takes the pending upload away. The caller holds the lock.
func (s *uploads) drop() {
	if s.pending == nil {
		return
	}
	s.pending.ends.Stop()
	_ = os.Remove(s.pending.path)
	s.pending = nil
}

// clear takes away what nobody has confirmed.
func (s *uploads) clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop()
}

// sweepUploads takes away what a killed process has left.
func sweepUploads(dir string) {
	files, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, f := range files {
		if ok, _ := filepath.Match(uploadName+"*"+uploadEnd, f.Name()); ok {
			_ = os.Remove(filepath.Join(dir, f.Name()))
		}
	}
}

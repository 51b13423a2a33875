package admin

import (
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"goldfish/license"
	"goldfish/license/fault"
	"goldfish/license/web"
)

// The phases of an appliance.
const (
	phaseStarting = "starting"
	phaseWorking  = "working"
	phaseSealed   = "sealed"
	phaseReady    = "ready"
	phaseEnding   = "ending" // told to nobody: the doors are closing
)

// StateOut is how the appliance stands. It is told to everybody who reaches the console.
type StateOut struct {
	State        string `json:"state" enum:"starting,working,sealed,ready"`
	Work         string `json:"work" enum:",check,migrate,restore" doc:"What is being done to the file while working"`
	Done         int64  `json:"done" doc:"How far the work is, of total"`
	Total        int64  `json:"total" doc:"0: not known"`
	Empty        bool   `json:"empty" doc:"Nobody has used it yet: a backup can be restored without signing in"`
	Recovery     bool   `json:"recovery" doc:"A recovery code can open the sealed file"`
	ErrorCode    string `json:"error_code" doc:"Why the last work on the file failed, empty if it did not"`
	ErrorMessage string `json:"error_message"`
}

// standing is how the appliance stands, for those who ask while it changes.
type standing struct {
	mu          sync.Mutex
	phase, work string
	done, total int64
	ordered     bool               // the work is an exchange that somebody asked for
	failed      *fault.Error       // what failed last, nil if nothing did
	owner       *license.Authority // while ready
	sealed      *license.Sealed    // while sealed
}

// enter begins a phase. mu is held.
func (s *standing) enter(phase, work string) {
	s.phase, s.work, s.done, s.total, s.ordered, s.owner, s.sealed = phase, work, 0, 0, false, nil, nil
}

func (s *standing) setReady(a *license.Authority) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.enter(phaseReady, "")
	s.owner = a
}

func (s *standing) setSealed(f *license.Sealed) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.enter(phaseSealed, "")
	s.sealed = f
}

// sealedFile is the file that waits for its owner, nil if none does; ready says that a house stands.
func (s *standing) sealedFile() (f *license.Sealed, ready bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sealed, s.phase == phaseReady
}

func (s *standing) setStarting() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.enter(phaseStarting, "")
}

// setWorking begins a work on the closed file. What came of the last one is forgotten.
func (s *standing) setWorking(work string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.enter(phaseWorking, work)
	s.ordered, s.failed = true, nil
}

// setProgress tells of a work that the file needs before it is open. An exchange that it is part of keeps its name.
func (s *standing) setProgress(work string, done, total int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.ordered {
		s.phase, s.work = phaseWorking, work
	}
	s.done, s.total = done, total
}

func (s *standing) setEnding() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.enter(phaseEnding, "")
}

func (s *standing) setFailure(f *fault.Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failed = f
}

func (s *standing) failure() *fault.Error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failed
}

// why is the fault that is answered to everything else while no house stands.
func (s *standing) why() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch s.phase {
	case phaseSealed:
		return fault.New(fault.Unavailable, "sealed").After(sealedAgain)
	case phaseEnding:
		return fault.New(fault.Unavailable, "shutting_down").After(startingAgain)
	}
	return fault.New(fault.Unavailable, "starting").After(startingAgain)
}

// When clients that were refused should come again.
const (
	sealedAgain   = 30 * time.Second
	startingAgain = 5 * time.Second
)

// state is how the appliance stands, in words for the caller.
func (s *standing) state(lang web.Lang) (StateOut, error) {
	s.mu.Lock()
	out := StateOut{State: s.phase, Work: s.work, Done: s.done, Total: s.total}
	owner, failed := s.owner, s.failed
	if s.sealed != nil {
		out.Recovery = s.sealed.HasRecovery()
	}
	s.mu.Unlock()
	if out.State == phaseEnding {
		return out, s.why()
	}
	if failed != nil {
		out.ErrorCode, out.ErrorMessage = failed.Code, failureText(failed, lang)
	}
	if owner == nil {
		return out, nil
	}
	return out, out.ask(owner)
}

// failureText is what everybody may be told of a failure: the sentence of its code with the names of files, not their
// places; where it would need more, that there was one.
func failureText(f *fault.Error, lang web.Lang) string {
	args := map[string]any{}
	for name, v := range f.Args {
		switch name {
		case "path", "backup":
			args[name] = filepath.Base(fmt.Sprint(v))
		case "faults", "release", "newest":
			args[name] = v
		default:
			return lang.Say("work_failed", nil)
		}
	}
	if text := lang.Say(f.Code, args); text != f.Code {
		return text
	}
	return lang.Say("work_failed", nil)
}

// ask fills in what the open file knows.
func (o *StateOut) ask(a *license.Authority) (err error) {
	o.Empty, err = a.Empty()
	return err
}

func registerState(a *web.API, state func(web.Lang) (StateOut, error)) {
	web.Route(a, web.Op{
		Method: "GET", Path: "/api/v1/admin/state", ID: "state", Tag: "state", Summary: "服务状态 · How the appliance stands",
		Detail: "无需登录，也在数据文件尚未打开时回答。Answered without a sign-in, and also while the data file is not open.",
		Public: true, Errors: []int{401},
	}, func(c *web.Call, _ *struct{}) (StateOut, error) { return state(c.Lang) })
}

// UnsealIn opens a sealed file by its recovery code.
type UnsealIn struct {
	Body struct {
		Code     string `json:"recovery_code" doc:"As it was shown when it was made; spaces and dashes do not count"`
		Username string `json:"username" example:"admin" doc:"The owner whose password is set anew"`
		Password string `json:"new_password" example:"Goldfish-2026!"`
		Copied   bool   `json:"copied,omitzero" doc:"The machine that the file came from goes on, and this appliance gets an identity of its own"`
	}
}

func registerUnseal(a *web.API, unseal func(*web.Call, *UnsealIn) (StateOut, error)) {
	web.Route(a, web.Op{
		Method: "POST", Path: "/api/v1/admin/unseal", ID: "unseal", Tag: "state", Summary: "用恢复码打开数据文件 · Open the sealed file by its recovery code",
		Detail: "随后请用新密码登录。Sign in with the new password afterwards.",
		Public: true, Message: "unsealed", Errors: []int{401, 409},
	}, unseal)
}

// registerStanding adds to an open appliance what a closed one answers too.
func (c *Console) registerStanding(a *web.API) {
	state := c.opts.State
	if state == nil {
		state = (&standing{phase: phaseReady, owner: c.rules}).state
	}
	registerState(a, state)
	registerUnseal(a, func(*web.Call, *UnsealIn) (StateOut, error) {
		return StateOut{}, web.NotSealed()
	})
}

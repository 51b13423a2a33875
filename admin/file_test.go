package admin

import (
	"testing"

	"goldfish/license"
)

func TestTheFileByTheConsole(t *testing.T) {
	d := newDesk(t)
	a := d.get(adminPath + "/file")
	if a.text("path") != d.Path || a.number("bytes") <= 0 || a.number("epoch") != 1 || a.number("schema") != len(license.Schema("").Migrations) || a.text("release") != "test" ||
		a.data("low_space") != false || a.data("compacting") != false || a.number("gaps") != 0 || a.data("last_check.at") != nil || a.data("last_check.ok") != false {
		t.Errorf("%s", a.raw)
	}
	if wanted := a.number("copy_window_wanted"); wanted < 60 {
		t.Errorf("the window is %d s", wanted)
	}
}

func TestCompactingByTheConsole(t *testing.T) {
	d := newDesk(t)
	app := d.newApp("x")
	a := d.want(202, "POST", adminPath+"/batches", o{"app_id": app, "count": 100_000, "validity": o{"kind": "permanent"}})
	d.Await("some progress", func() bool { return d.get(adminPath+"/jobs/"+a.text("job.id")).number("done") >= 20_000 })
	d.want(200, "POST", adminPath+"/jobs/"+a.text("job.id")+"/cancel", nil) // many free pages are left
	d.Await("the end", func() bool { return d.get(adminPath+"/jobs/"+a.text("job.id")).text("state") == "cancelled" })
	before, rows := d.get(adminPath+"/file").number("bytes"), d.state()
	if a := d.want(202, "POST", adminPath+"/file/compact", nil); a.body["message"] != "已开始压缩数据文件" {
		t.Errorf("%s", a.raw)
	}
	d.Await("its end", func() bool { return d.get(adminPath+"/file").data("compacting") == false })
	if after := d.get(adminPath + "/file").number("bytes"); after >= before/2 {
		t.Errorf("%d bytes, then %d", before, after)
	}
	told, err := d.RecentEvents(10, 100, func(e *license.Event) bool { return e.Kind == license.SystemCompacted })
	if err != nil || len(told) != 1 || told[0].Event.Actor != license.ActorAccount || told[0].Event.Args["bytes"] == "" {
		t.Errorf("%v %+v", err, told)
	}
	if after := d.state(); len(after) != len(rows) && after == "" {
		t.Errorf("%s, then %s", rows, after)
	}
	if d.newApp("y") == "" {
		t.Error("it takes no more writes")
	}
}

// Everybody who looks at the console is told that the file is being compacted, from before it begins until it is over.
func TestACompactionIsAnnounced(t *testing.T) {
	d := newDesk(t)
	d.newBatch(d.newApp("x"), 100, nil)
	compacting := func() bool { return d.get(adminPath+"/status").data("compacting") == true }
	l, _ := d.watch(nil)
	let := d.HoldWriter() // the writer has other work: the compaction waits for its turn
	if compacting() {
		t.Error("told before anybody wanted it")
	}
	d.want(202, "POST", adminPath+"/file/compact", nil)
	d.Await("the word of it", compacting)
	if d.get(adminPath+"/file").data("compacting") != true {
		t.Error("the page of the file does not say so")
	}
	let()
	event := func(kind string) answer {
		return l.want("event", func(a answer) bool { return a.text("event.kind") == kind })
	}
	begun, done := event("system.compacting"), event("system.compacted")
	if begun.text("event.actor.kind") != "account" || done.number("seq") != begun.number("seq")+1 {
		t.Errorf("%s, then %s", begun.raw, done.raw)
	}
	d.Await("its end", func() bool { return !compacting() })
}

package config

import (
	"fmt"
	"strings"
	"time"
)

// Ready is what a started appliance says of itself.
type Ready struct {
	Version, Console, Client, File string
	User, Password                 string // of the first account, while its documented password stands; or ""
	Sealed                         bool   // its file waits for an owner
}

// Text says it.
func (r Ready) Text(lang string) string {
	headZH, headEN := "金鱼智盒 %s 已就绪", "Goldfish %s is ready"
	if r.Sealed {
		headZH = "金鱼智盒 %s 已启动，数据文件已封存：本机的密钥打不开它。请所有者在管理台登录，或用恢复码打开；若原来的 machine.key 还在，也可用 --machine-key 指定它并重新启动"
		headEN = "Goldfish %s runs with its data file sealed: this machine's key does not open it. Let its owner sign in to the console, or use the recovery code; " +
			"if the old machine.key is still there, you may also name it with --machine-key and start again"
	}
	zh := fmt.Sprintf(headZH+"\n  管理台        %s\n  客户端接口    %s\n  数据文件      %s", r.Version, r.Console, r.Client, r.File)
	en := fmt.Sprintf(headEN+"\n  Console       %s\n  Client API    %s\n  Data file     %s", r.Version, r.Console, r.Client, r.File)
	if r.User != "" {
		zh += fmt.Sprintf("\n  初始账号      %s / %s（仅限本机，登录后须先修改密码）", r.User, r.Password)
		en += fmt.Sprintf("\n  First account %s / %s (from this machine only; its password must be changed first)", r.User, r.Password)
	}
	return InBoth(lang, zh, en)
}

// Kept is a backup as it is told of.
type Kept struct {
	Path    string
	Bytes   int64
	SHA256  string
	Changed time.Time
	Epoch   uint16
	Rows    map[string]int

	Newest  time.Time // of its newest event
	Schema  int
	Release string
	Opens   bool // this machine's key opens it
	Sealed  int  // rows that were not judged without a key
	ByOwner bool // an owner's password or a recovery code opens it
	Clean   bool // its writer was stopped in order
	Running bool // it was in use
	Faults  []string
}

// rowNames are the tables that are worth a number.
var rowNames = []struct{ table, zh, en string }{
	{"apps", "应用", "apps"},
	{"batches", "批次", "batches"},
	{"cards", "卡密", "card keys"},
	{"bindings", "设备", "devices"},
	{"accounts", "账号", "accounts"},
	{"announcements", "公告", "announcements"},
	{"events", "事件", "events"},
}

func (k Kept) counts() (zh, en string) {
	var cs, es []string
	for _, n := range rowNames {
		cs = append(cs, fmt.Sprintf("%s %d", n.zh, k.Rows[n.table]))
		es = append(es, fmt.Sprintf("%s %d", n.en, k.Rows[n.table]))
	}
	return strings.Join(cs, " · "), strings.Join(es, " · ")
}

// Made tells of a new backup.
func (k Kept) Made() string {
	zh, en := k.counts()
	return fmt.Sprintf("备份已完成并通过检查：%s\n  %s\n  %s · SHA-256 %s\nThe backup is made and checked: %s\n  %s\n  %s · SHA-256 %s",
		k.Path, zh, Size(k.Bytes), k.SHA256, k.Path, en, Size(k.Bytes), k.SHA256)
}

// Restored tells of a restore: file is what was put in place, before where the old one is kept, "" for none.
func (k Kept) Restored(file, before string) string {
	out := fmt.Sprintf("已恢复到 %s（纪元 %d）\nRestored to %s (epoch %d)", file, k.Epoch, file, k.Epoch)
	if before != "" {
		out += fmt.Sprintf("\n原文件保留在 %s\nThe file before is kept at %s", before, before)
	}
	if !k.Opens {
		out += "\n启动后须由所有者在管理台登录（或用恢复码）打开\nOnce it is started its owner must open it, by signing in to the console or with the recovery code"
	}
	return out
}

// Listed is one line of a list of backups.
func (k Kept) Listed(summed bool) string {
	sum := "-"
	if summed {
		sum = "sha256"
	}
	return fmt.Sprintf("%s  %10s  %-6s  %s", k.Changed.UTC().Format(time.RFC3339), Size(k.Bytes), sum, k.Path)
}

// NoBackups tells of an empty folder.
func NoBackups(dir string) string {
	return fmt.Sprintf("%s 中没有备份\nThere is no backup in %s", dir, dir)
}

// Size is a number of bytes for people.
func Size(n int64) string {
	if n < 1<<10 {
		return fmt.Sprintf("%d B", n)
	}
	units := []string{"KiB", "MiB", "GiB", "TiB"}
	v := float64(n)
	unit := -1
	for v >= 1<<10 && unit < len(units)-1 {
		v /= 1 << 10
		unit++
	}
	return fmt.Sprintf("%.1f %s", v, units[unit])
}

// Installed tells where an installed service lives, and what comes next.
func Installed(data, key string, console, client Listen) string {
	at, api := console.URL(nil), client.URL(nil)
	return fmt.Sprintf("  数据文件夹    %s\n  机器密钥      %s（请另行保管一份；没有它，备份须用所有者密码或恢复码打开）\n  管理台        %s\n  客户端接口    %s\n  下一步        goldfish service start\n"+
		"  Data folder   %s\n  Machine key   %s (keep a copy elsewhere: without it a backup opens only by an owner's password or the recovery code)\n  Console       %s\n  Client API    %s\n  Next          goldfish service start",
		data, key, at, api, data, key, at, api)
}

// daemonStates are the states of the system service in both languages.
var daemonStates = map[string][2]string{
	"not_installed": {"未安装", "not installed"},
	"stopped":       {"已停止", "stopped"},
	"starting":      {"正在启动", "starting"},
	"running":       {"运行中", "running"},
	"stopping":      {"正在停止", "stopping"},
	"failed":        {"已失败", "failed"},
}

// DaemonState tells how the system service named id stands, and what a verb has changed ("" for a question).
func DaemonState(id, state, detail, verb string, changed, restart bool) string {
	names, ok := daemonStates[state]
	if !ok {
		names = [2]string{"未知", "unknown"}
	}
	zh, en := fmt.Sprintf("系统服务 %s：%s", id, names[0]), fmt.Sprintf("System service %s: %s", id, names[1])
	if detail != "" {
		zh, en = fmt.Sprintf("%s（%s）", zh, detail), fmt.Sprintf("%s (%s)", en, detail)
	}
	switch {
	case verb != "" && !changed:
		zh, en = fmt.Sprintf("%s。无需改动", zh), fmt.Sprintf("%s. Nothing had to be changed", en)
	case restart:
		zh = fmt.Sprintf("%s。运行的仍是旧版本，请执行 goldfish service restart", zh)
		en = fmt.Sprintf("%s. The old version still runs; run goldfish service restart", en)
	}
	return zh + "\n" + en
}

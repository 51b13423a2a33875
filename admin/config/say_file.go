package config

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Folders are where to look for a backup in the place of a file that is damaged: beside it, and in the data folder.
func (v Verify) Folders() []string {
	dir := filepath.Dir(v.File)
	return slices.Compact([]string{filepath.Join(dir, "backups"), dir, v.Backups()})
}

// Moment is a time on a terminal.
func Moment(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format("2006-01-02 15:04:05 UTC")
}

// mostToldFaults is how many faults are told on a terminal; the others are only counted.
const mostToldFaults = 20

// Looked tells what a look at a file has found.
func (k Kept) Looked() string {
	headZH, headEN := "检查通过", "Nothing is wrong with"
	if len(k.Faults) > 0 {
		headZH, headEN = "文件已损坏", "Damaged:"
	}
	zh, en := k.counts()
	lines := []string{
		fmt.Sprintf("%s：%s", headZH, k.Path), "  " + zh, "  " + k.versionsZH(), "  " + k.sealZH(), "  " + k.stateZH(),
		fmt.Sprintf("%s %s", headEN, k.Path), "  " + en, "  " + k.versionsEN(), "  " + k.sealEN(), "  " + k.stateEN(),
	}
	if k.SHA256 != "" {
		lines = append(lines, "  SHA-256 "+k.SHA256)
	}
	for i, fault := range k.Faults {
		if i == mostToldFaults {
			lines = append(lines, fmt.Sprintf("  … %d", len(k.Faults)-i))
			break
		}
		lines = append(lines, "  - "+fault)
	}
	return strings.Join(lines, "\n")
}

func (k Kept) versionsZH() string {
	return fmt.Sprintf("最新记录 %s · 结构版本 %d（%s）· 纪元 %d · %s", Moment(k.Newest), k.Schema, orElse(k.Release, "-"), k.Epoch, Size(k.Bytes))
}

func (k Kept) versionsEN() string {
	return fmt.Sprintf("newest record %s · schema %d (%s) · epoch %d · %s", Moment(k.Newest), k.Schema, orElse(k.Release, "-"), k.Epoch, Size(k.Bytes))
}

func (k Kept) sealZH() string {
	switch {
	case k.Opens:
		return "本机的机器密钥可以打开，全部内容已检查"
	case k.ByOwner:
		return fmt.Sprintf("已封存：本机的密钥打不开，%d 行加密数据未能检查；需由所有者登录或用恢复码打开", k.Sealed)
	}
	return fmt.Sprintf("已封存：本机的密钥打不开，%d 行加密数据未能检查；其中没有所有者的密码或恢复码可以打开它，只能用原机器的 machine.key", k.Sealed)
}

func (k Kept) sealEN() string {
	switch {
	case k.Opens:
		return "this machine's key opens it, and everything was checked"
	case k.ByOwner:
		return fmt.Sprintf("sealed: this machine's key does not open it, and %d sealed rows were not judged; its owner's sign-in or the recovery code opens it", k.Sealed)
	}
	return fmt.Sprintf("sealed: this machine's key does not open it, and %d sealed rows were not judged; no owner's password or recovery code in it does, only the machine.key of its own machine", k.Sealed)
}

func (k Kept) stateZH() string {
	switch {
	case k.Running:
		return "文件正被使用，检查的是它的副本"
	case k.Clean:
		return "写入者已正常停止"
	}
	return "写入者未正常停止，或这是运行中文件的副本"
}

func (k Kept) stateEN() string {
	switch {
	case k.Running:
		return "the file is in use: a copy of it was checked"
	case k.Clean:
		return "its writer was stopped in order"
	}
	return "its writer was not stopped in order, or this is a copy of a running file"
}

// DryRun tells what a restore into file would do; over: another file lies there.
func DryRun(file string, over bool) string {
	if over {
		return fmt.Sprintf("预演：未作任何改动。恢复时它将替换 %s，原文件会保留\nDry run: nothing was changed. A restore puts it in the place of %s, which is kept", file, file)
	}
	return fmt.Sprintf("预演：未作任何改动。恢复时它将成为 %s\nDry run: nothing was changed. A restore makes it %s", file, file)
}

// Compacted tells what a compaction has gained.
func Compacted(file string, before, after int64) string {
	return fmt.Sprintf("已压缩 %s：%s → %s\nCompacted %s: %s → %s", file, Size(before), Size(after), file, Size(before), Size(after))
}

// Pruned tells what was taken away from the folders of backups: by their age and by the cap on their size.
func Pruned(old, thinned, kept int, bytes int64) string {
	return fmt.Sprintf("已清理备份：过期 %d 个，超出容量上限 %d 个，释放 %s；保留 %d 个\nRemoved backups: %d by age, %d by the size cap, %s in all; %d are kept",
		old, thinned, Size(bytes), kept, old, thinned, Size(bytes), kept)
}

// OverCap tells that what is kept is still more than the cap.
func OverCap() string {
	return "保留的备份仍超出容量上限；每周最新的备份不会因此被清理\nWhat is kept is still more than the size cap; the newest of each week is never removed for it"
}

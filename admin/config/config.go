// Package config reads the command line and the environment: what is to be done, and with which start-up
// settings. Flags stand above the environment (GOLDFISH_…), that above the defaults.
//
// It also holds the sentences that the program says on a terminal, in Chinese and English, with the exit
// code that belongs to each (failure.go).
package config

import (
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kong"
)

// Command is a parsed command line.
type Command struct {
	Serve       Serve       `cmd:"" default:"withargs" help:"启动服务（默认命令） · start the server (the default)"`
	Daemon      Daemon      `cmd:"" name:"service" help:"作为系统服务安装、启动、停止或移除 · install, start, stop or remove the system service"`
	Backup      Backup      `cmd:"" help:"备份与恢复 · back up and restore"`
	Verify      Verify      `cmd:"" help:"检查任意数据文件或备份，不作改动 · check any data file or backup, changing nothing"`
	Compact     Compact     `cmd:"" help:"压缩数据文件，服务运行时也可以 · compact the data file, also while the service runs"`
	Admin       Admin       `cmd:"" help:"账号 · accounts"`
	Keyring     Keyring     `cmd:"" help:"密钥 · keys"`
	Openapi     struct{}    `cmd:"" name:"openapi" help:"打印 OpenAPI 文档 · print the OpenAPI document"`
	Version     struct{}    `cmd:"" help:"打印版本 · print the version"`
	Healthcheck Healthcheck `cmd:"" help:"检查服务是否就绪（退出码 0 为就绪） · say whether the server is ready (exit code 0)"`

	// Name is the command with its verb, such as "backup create"; "" when the help or the like was asked for
	// and has been printed.
	Name string `kong:"-"`
}

// Place is where an appliance lives: its data folder, the machine key that opens its file, and the folder for
// what must not be copied with the data.
type Place struct {
	Data       string `name:"data" env:"GOLDFISH_DATA" default:"${data}" placeholder:"DIR" help:"数据文件夹 · data folder (${default})"`
	MachineKey string `name:"machine-key" placeholder:"FILE" help:"机器密钥文件，须在数据文件夹之外 · machine key file, outside the data folder (${key}); or $$GOLDFISH_MACHINE_KEY_FILE, $$GOLDFISH_MACHINE_KEY"`
	State      string `name:"state" env:"GOLDFISH_STATE" placeholder:"DIR" help:"状态文件夹，须在数据文件夹之外 · state folder, outside the data folder (${state}; beside the machine key where that is named)"`
}

// Serve are the settings of a running appliance.
type Serve struct {
	Place
	ConsoleListen Listen     `name:"console-listen" env:"GOLDFISH_CONSOLE_LISTEN" default:"127.0.0.1:8990" placeholder:"HOST:PORT" help:"管理台地址 · address of the console (${default})"`
	APIListen     Listen     `name:"api-listen" env:"GOLDFISH_API_LISTEN" default:"127.0.0.1:8000" placeholder:"HOST:PORT" help:"客户端接口地址 · address of the client API (${default})"`
	LogLevel      slog.Level `name:"log-level" env:"GOLDFISH_LOG_LEVEL" default:"info" placeholder:"LEVEL" help:"日志级别 · debug, info, warn or error (${default})"`
	LogDir        string     `name:"log-dir" env:"GOLDFISH_LOG_DIR" placeholder:"DIR" help:"日志文件夹 · folder of app.log and error.log (logs in the data folder)"`
	Rate          int        `name:"rate" env:"GOLDFISH_RATE" default:"100" placeholder:"N" help:"每个地址每秒的请求数，仅命令行可用 0 关闭 · requests per second from one address (${default}); 0, as a flag only, turns the limit off"`
	Lang          string     `name:"lang" env:"GOLDFISH_LANG" default:"both" enum:"zh,en,both" placeholder:"LANG" help:"终端输出的语言 · language of what is printed here: zh, en or both (${default})"`
}

// Daemon is what to do with the system service. The settings are those with which it will start.
type Daemon struct {
	// DataGiven says whether the data folder was named; the service has another default than a program run by
	// hand.
	DataGiven bool `kong:"-"`

	Verb string `arg:"" enum:"install,uninstall,start,stop,restart,status" help:"install, uninstall, start, stop, restart, status"`
	Serve
}

// Backup are the verbs around backups.
type Backup struct {
	Create  BackupCreate  `cmd:"" help:"备份，服务运行时也可以 · make a backup, also while the service runs"`
	List    BackupList    `cmd:"" help:"列出数据文件夹中的备份 · list the backups in the data folder"`
	Verify  BackupVerify  `cmd:"" help:"检查一个备份 · check a backup"`
	Restore BackupRestore `cmd:"" help:"恢复到数据文件夹，服务须已停止 · restore into the data folder; the service must be stopped"`
	Prune   BackupPrune   `cmd:"" help:"按备份计划清理过期的备份 · remove the backups that the backup plan no longer keeps"`
}

// BackupCreate makes a backup.
type BackupCreate struct {
	Place
	Out string `name:"out" placeholder:"FILE|DIR" help:"备份文件或文件夹 · file or folder of the backup (backups in the data folder)"`
}

// BackupList lists backups.
type BackupList struct{ Place }

// BackupVerify checks a backup.
type BackupVerify struct {
	Place
	File string `arg:"" help:"备份文件 · the backup"`
}

// BackupRestore puts a backup in the place of an appliance's file.
type BackupRestore struct {
	Place
	DryRun bool   `name:"dry-run" help:"只检查并报告，不恢复 · check and report only, restore nothing"`
	File   string `arg:"" help:"备份文件 · the backup"`
}

// BackupPrune removes backups that the plan does not keep.
type BackupPrune struct{ Place }

// Verify checks any file: a data file, one that runs, a copy of one, a backup.
type Verify struct {
	Place
	File string `arg:"" help:"要检查的文件 · the file to check"`
}

// Compact makes the data file as small as its contents.
type Compact struct{ Place }

// Healthcheck asks a running appliance.
type Healthcheck struct {
	APIListen Listen        `name:"api-listen" env:"GOLDFISH_API_LISTEN" default:"127.0.0.1:8000" placeholder:"HOST:PORT" help:"客户端接口地址 · address of the client API (${default})"`
	Timeout   time.Duration `name:"timeout" default:"3s" help:"最长等待 · longest wait (${default})"`
}

// about is what --help says first. The exit codes are those of failure.go.
const about = "金鱼智盒：单文件卡密授权服务器 · Goldfish, a card-key licensing server in one file\n\n" +
	"每个参数都可用环境变量 GOLDFISH_… 给出 · Each flag can come from the environment as GOLDFISH_…\n\n" +
	"退出码 · Exit codes: 0 正常 ok; 1 内部错误 internal; 2 命令行 command line; 3 地址 address; 4 文件被占用 file in use; " +
	"5 文件损坏或不是数据文件 file damaged or not ours; 6 文件来自新版本 file of a newer version; 7 机器密钥 machine key; " +
	"8 文件夹或磁盘 folder or disk; 9 备份 backup; 10 系统服务 system service; 11 未就绪 not ready"

// Lang is the language in which to speak on the terminal: zh, en or both.
func (c *Command) Lang() string {
	if c == nil || c.Name != "serve" {
		return "both"
	}
	return c.Serve.Lang
}

// Parse reads the command line without the program's name. Help goes to out. What is wrong is a *Failure.
func Parse(args []string, out io.Writer) (*Command, error) {
	c := &Command{}
	done := false
	parser, err := kong.New(
		c, kong.Name("goldfish"), kong.Writers(out, out), kong.Exit(func(int) { done = true }),
		kong.Description(about),
		kong.Vars{"data": defaultData(), "key": defaultKey(), "state": defaultState()}, kong.ConfigureHelp(kong.HelpOptions{NoExpandSubcommands: true}),
	)
	if err != nil {
		return nil, err
	}
	ctx, err := parser.Parse(args)
	if done {
		return &Command{}, nil
	}
	if own, ok := errors.AsType[*Failure](err); ok { // a value that has a sentence of ours
		return nil, own
	}
	if err != nil {
		return nil, Fail("usage").With("error", err.Error()).Because(err)
	}
	c.Name = verb(ctx, c)
	c.Daemon.DataGiven = given(ctx, "data") || os.Getenv("GOLDFISH_DATA") != ""
	return c, c.settle(ctx)
}

// verb is the selected command's name without its arguments.
func verb(ctx *kong.Context, c *Command) string {
	name := ctx.Selected().Path()
	if ctx.Selected().Name == "service" {
		name = "service " + c.Daemon.Verb
	}
	return name
}

// settle makes every path absolute and refuses what contradicts itself.
func (c *Command) settle(ctx *kong.Context) error {
	for _, s := range []*Serve{&c.Serve, &c.Daemon.Serve} {
		runs := c.Name == "serve" || strings.HasPrefix(c.Name, "service")
		if off := s.Rate == 0 && !given(ctx, "rate"); runs && (off || s.Rate < 0 || s.Rate > 1_000_000) {
			return Fail("rate_range").With("value", s.Rate)
		}
		if s.LogDir == "" {
			s.LogDir = filepath.Join(s.Data, "logs")
		}
		if err := absolute(&s.LogDir); err != nil {
			return err
		}
	}
	if err := absolute(&c.Verify.File); err != nil {
		return err
	}
	for _, p := range c.places() {
		if err := errors.Join(absolute(&p.Data), absolute(&p.MachineKey), absolute(&p.State)); err != nil {
			return err
		}
	}
	return nil
}

// places are those of all commands.
func (c *Command) places() []*Place {
	b := &c.Backup
	return []*Place{
		&c.Serve.Place, &c.Daemon.Place, &c.Verify.Place, &c.Compact.Place,
		&b.Create.Place, &b.List.Place, &b.Verify.Place, &b.Restore.Place, &b.Prune.Place,
		&c.Admin.ResetPassword.Place, &c.Keyring.Rotate.Place,
	}
}

// given says whether the flag stands on the command line itself.
func given(ctx *kong.Context, name string) bool {
	for _, p := range ctx.Path {
		if p.Flag != nil && p.Flag.Name == name && !p.Resolved {
			return true
		}
	}
	return false
}

func absolute(path *string) error {
	if *path == "" {
		return nil
	}
	abs, err := filepath.Abs(*path)
	if err != nil {
		return Fail("path_invalid").With("path", *path).Because(err)
	}
	*path = abs
	return nil
}

// Beyond refuses to listen beyond this machine while the documented first password stands.
func (s Serve) Beyond(firstStands bool) error {
	for _, at := range []struct {
		flag   string
		listen Listen
	}{{"--console-listen", s.ConsoleListen}, {"--api-listen", s.APIListen}} {
		if firstStands && !at.listen.Loopback() {
			return Fail("listen_needs_password").With("address", at.listen).With("flag", at.flag)
		}
	}
	return nil
}

// Passed are the flags with which the service starts, beside its places: those that are not the defaults.
func (d Daemon) Passed() []string {
	var out []string
	for _, f := range []struct{ flag, value, usual string }{
		{"--console-listen", d.ConsoleListen.String(), "127.0.0.1:8990"},
		{"--api-listen", d.APIListen.String(), "127.0.0.1:8000"},
		{"--log-level", strings.ToLower(d.LogLevel.String()), "info"},
		{"--rate", strconv.Itoa(d.Rate), "100"},
		{"--lang", d.Serve.Lang, "both"},
	} {
		if f.value != f.usual {
			out = append(out, f.flag, f.value)
		}
	}
	if d.LogDir != filepath.Join(d.Data, "logs") {
		out = append(out, "--log-dir", d.LogDir)
	}
	return out
}

// File is the appliance's file in its data folder.
func (p Place) File() string { return filepath.Join(p.Data, "goldfish.db") }

// Backups is where backups lie unless another place is named.
func (p Place) Backups() string { return filepath.Join(p.Data, "backups") }

// Started says whether the appliance's file is there already.
func (p Place) Started() bool {
	_, err := os.Lstat(p.File())
	return err == nil
}

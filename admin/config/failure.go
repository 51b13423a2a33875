package config

import (
	"fmt"
	"strings"
)

// Exit codes of the program. They are stable: scripts and service managers decide by them.
const (
	ExitInternal = 1  // a failure of ours; the log says more
	ExitUsage    = 2  // the command line or the environment is wrong
	ExitAddress  = 3  // an address cannot be listened at, or may not be yet
	ExitLocked   = 4  // another process has the file
	ExitFile     = 5  // the file is not ours, damaged or cut off
	ExitNewer    = 6  // the file was written by a newer version
	ExitKey      = 7  // the machine key is missing or another one
	ExitFolder   = 8  // a folder or file cannot be read or written
	ExitBackup   = 9  // a backup cannot be made, checked or restored
	ExitDaemon   = 10 // the system's service control refused
	ExitNotReady = 11 // a health check found no ready server
)

// sentence is what is said of one failure. {names} are filled in from its arguments.
type sentence struct {
	exit   int
	zh, en string
}

// sentences by failure code. Each says what is wrong and what to do.
var sentences = map[string]sentence{
	"internal": {ExitInternal, "程序内部出错：{error}。", "Something went wrong inside the program: {error}."},
	"usage":    {ExitUsage, "命令行有误：{error}。运行 goldfish --help 查看用法。", "The command line is wrong: {error}. Run goldfish --help for usage."},
	"listen_form": {
		ExitUsage, "监听地址“{value}”无效，请写成 主机:端口，例如 127.0.0.1:8000。",
		"“{value}” is no address to listen at; write HOST:PORT, such as 127.0.0.1:8000.",
	},
	"rate_range": {
		ExitUsage, "速率 {value} 无效：须在 0 到 1000000 之间，且 0（不限速）只能用命令行参数 --rate 0 指定。",
		"The rate {value} is not valid: it is more than 0 and at most 1000000, and 0 (no limit) only as the flag --rate 0.",
	},
	"path_invalid": {ExitUsage, "路径“{path}”无法使用，请检查后重试。", "The path “{path}” cannot be used; check it and try again."},

	"port_in_use": {
		ExitAddress, "地址 {address} 已被其他程序占用，请停止那个程序，或用 {flag} 指定其他端口。",
		"The address {address} is in use by another program; stop that one or choose another port with {flag}.",
	},
	"listen_failed": {
		ExitAddress, "无法监听 {address}，请用 {flag} 指定本机的地址和允许使用的端口。",
		"Cannot listen at {address}; choose an address of this machine and a port that is allowed with {flag}.",
	},
	"listen_needs_password": {
		ExitAddress, "初始密码尚未修改，不能监听 {address}：请先只在本机启动，登录管理台修改密码，再使用 {flag}。",
		"The first password still stands, so {address} may not be listened at: start on this machine alone, sign in to the console, change the password, then use {flag}.",
	},

	"file_locked": {
		ExitLocked, "数据文件 {path} 正被另一个进程使用，请先停止它（goldfish service stop）。",
		"The data file {path} is in use by another process; stop that one first (goldfish service stop).",
	},
	"file_not_ours": {
		ExitFile, "{path} 不是金鱼智盒的数据文件，未作任何改动；请检查路径。",
		"{path} is not a file of Goldfish and was not touched; check the path.",
	},
	"file_truncated": {
		ExitFile, "文件 {path} 不完整（被截断），未作任何改动；请用 goldfish backup restore 恢复备份。",
		"The file {path} is cut off and was not touched; restore a backup with goldfish backup restore.",
	},
	"file_damaged": {
		ExitFile, "文件 {path} 已损坏，未作任何改动；请用 goldfish backup restore 恢复备份。",
		"The file {path} is damaged and was not touched; restore a backup with goldfish backup restore.",
	},
	"file_damaged_backup": {
		ExitFile, "文件 {path} 已损坏，未作任何改动。最新的完好备份（最新记录 {newest}）：goldfish backup restore {backup}",
		"The file {path} is damaged and was not touched. The newest good backup (newest record {newest}): goldfish backup restore {backup}",
	},
	"verify_damaged": {
		ExitFile, "文件 {path} 已损坏（{faults} 处错误），没有找到完好的备份。",
		"The file {path} is damaged ({faults} faults), and no good backup was found.",
	},
	"verify_damaged_backup": {
		ExitFile, "文件 {path} 已损坏（{faults} 处错误）。最新的完好备份（最新记录 {made}）：goldfish backup restore {backup}",
		"The file {path} is damaged ({faults} faults). The newest good backup (newest record {made}): goldfish backup restore {backup}",
	},
	"verify_older": {
		ExitFile, "文件 {path} 的最新状态已损坏（{faults} 处错误），上一次提交时的状态（最新记录 {newest}）完好：服务启动时会自动采用它，并保留已损坏的文件。没有找到完好的备份。",
		"The newest state of {path} is damaged ({faults} faults); the one before it (newest record {newest}) is whole, and the server takes it by itself at its start and keeps the damaged file. No good backup was found.",
	},
	"verify_older_backup": {
		ExitFile, "文件 {path} 的最新状态已损坏（{faults} 处错误），上一次提交时的状态（最新记录 {newest}）完好：服务启动时会自动采用它，并保留已损坏的文件。最新的完好备份（最新记录 {made}）：goldfish backup restore {backup}",
		"The newest state of {path} is damaged ({faults} faults); the one before it (newest record {newest}) is whole, and the server takes it by itself at its start and keeps the damaged file. The newest good backup (newest record {made}): goldfish backup restore {backup}",
	},
	"check_timeout": {
		ExitFile, "检查 {path} 超过了 {seconds} 秒，已经中止；磁盘可能过慢或文件已损坏，请换用一个备份。",
		"The check of {path} took more than {seconds} seconds and was ended: the disk is very slow or the file damaged; use a backup.",
	},
	"file_newer": {
		ExitNewer, "文件 {path} 由更新的版本（{release}）写入，未作任何改动；请使用该版本或更新的版本。",
		"The file {path} was written by a newer version ({release}) and was not touched; use that version or a later one.",
	},
	"file_missing": {ExitFolder, "文件 {path} 不存在，请检查路径。", "There is no file {path}; check the path."},

	"machine_key_wrong": {
		ExitKey, "机器密钥打不开 {path}：请用 --machine-key 指定创建该文件的那台机器的 machine.key。",
		"The machine key does not open {path}: name the machine.key of the machine that made it with --machine-key.",
	},
	"machine_key_missing": {
		ExitKey, "打开数据文件所需的机器密钥 {path} 不存在：请放回原来的 machine.key，或用 --machine-key 指定。",
		"The machine key {path}, which opens the data file, is missing: put the old machine.key back or name it with --machine-key.",
	},
	"machine_key_form": {
		ExitKey, "{path} 中没有机器密钥（应为 64 位十六进制数字）。",
		"{path} holds no machine key (64 hex digits).",
	},
	"machine_key_inside": {
		ExitKey, "机器密钥 {path} 不能放在数据文件夹 {data} 之内：复制该文件夹的人会同时得到密钥。",
		"The machine key {path} may not lie in the data folder {data}: whoever copies that folder would have the key as well.",
	},

	"state_inside": {
		ExitFolder, "状态文件夹 {path} 不能放在数据文件夹 {data} 之内，否则无法发现数据文件被换回旧的副本；请用 --state 指定其他位置。",
		"The state folder {path} may not lie in the data folder {data}: it could not tell that an old copy was put back; name another place with --state.",
	},

	"account_missing": {
		ExitUsage, "没有这个账号，请检查用户名。", "There is no account of that name; check its spelling.",
	},
	"rotation_running": {
		ExitKey, "正在更换密钥，请等待完成。", "The keys are being changed already; wait until that is done.",
	},
	"rotation_failed": {
		ExitFile, "有数据已损坏，无法重新加密：旧密钥已保留。请用最近的备份恢复后重试，日志中有详情。",
		"Some rows are damaged and could not be sealed anew, so the old key was kept; restore the latest backup and try again. The log says more.",
	},
	"sealed": {
		ExitKey, "数据文件已封存，请先由所有者在管理台登录（或用恢复码）打开。",
		"The data file is sealed; let its owner open it first by signing in to the console, or with the recovery code.",
	},
	"starting":      {ExitNotReady, "服务正在启动，请稍后再试。", "The server is starting; try again shortly."},
	"shutting_down": {ExitNotReady, "服务正在停止。", "The server is stopping."},

	"folder_denied": {
		ExitFolder, "没有读写 {path} 的权限，请修正权限，或用 --data、--log-dir、--machine-key 指定其他位置。",
		"No permission to read and write {path}; mend it, or choose another place with --data, --log-dir or --machine-key.",
	},
	"folder_failed": {
		ExitFolder, "无法使用 {path}：{error}。请检查路径和磁盘。",
		"Cannot use {path}: {error}. Check the path and the disk.",
	},
	"disk_full": {ExitFolder, "{path} 所在的磁盘已满，请腾出空间后重试。", "The disk of {path} is full; make room and try again."},

	"backup_exists": {
		ExitBackup, "{path} 已存在，未被覆盖；请换一个名字。",
		"{path} exists already and was not written over; choose another name.",
	},
	"backup_checksum": {
		ExitBackup, "备份 {path} 与它的校验值（.sha256）不符，请换用另一个备份。",
		"The backup {path} does not match its checksum (.sha256); use another one.",
	},
	"backup_damaged": {
		ExitBackup, "备份 {path} 没有通过检查（{faults} 处错误），请换用另一个备份。",
		"The backup {path} did not pass its check ({faults} faults); use another one.",
	},
	"backup_implausible": {
		ExitBackup, "备份 {path} 的压缩数据没有说明长度，或所说的长度不可信，未作解压；请换用另一个备份。",
		"The compressed backup {path} says nothing believable of its length and was not unpacked; use another one.",
	},
	"backup_unreadable": {
		ExitBackup, "备份 {path} 的压缩数据已损坏，请换用另一个备份。",
		"The compressed data of the backup {path} is damaged; use another one.",
	},
	"backup_stopped": {ExitBackup, "服务正在停止，备份没有完成。", "The server is stopping; the backup was not made."},
	"backup_sealed": {
		ExitBackup, "备份 {path} 由另一台机器封存，其中没有所有者的密码或恢复码可以打开它；请用 --machine-key 指定那台机器的 machine.key。",
		"The backup {path} was sealed by another machine, and no owner's password or recovery code in it opens it: name that machine's machine.key with --machine-key.",
	},
	"backup_running": {ExitBackup, "已有一个备份正在进行，请稍后再试。", "A backup is being made already; try again later."},
	"backup_running_appliance": {
		ExitBackup, "服务正在使用 {path}，恢复之前请先停止它（goldfish service stop）。",
		"The server is using {path}; stop it before restoring (goldfish service stop).",
	},
	"control_failed": {
		ExitBackup, "无法与正在运行的服务通信：{error}。",
		"Cannot talk to the running server: {error}.",
	},

	"daemon_failed": {ExitDaemon, "系统服务操作 {verb} 失败：{error}。", "The service command {verb} failed: {error}."},
	"daemon_foreign": {
		ExitDaemon, "文件夹 {data} 或 {keys} 中有其他内容，未作任何改动；请为服务指定空文件夹。",
		"The folder {data} or {keys} holds something else and was not touched; name empty folders for the service.",
	},
	"daemon_not_permitted": {
		ExitDaemon, "系统服务操作 {verb} 需要管理员权限，请用 root（sudo）或管理员身份重新运行。",
		"The service command {verb} needs administrator rights; run it again as root (sudo) or as an administrator.",
	},
	"daemon_unsupported": {
		ExitDaemon, "这里没有受支持的服务管理系统（Linux 需要 systemd），请改用 goldfish serve 直接运行。",
		"There is no supported service system here (Linux needs systemd); run goldfish serve directly instead.",
	},
	"daemon_not_installed": {
		ExitDaemon, "系统服务尚未安装，请先运行 goldfish service install。",
		"The system service is not installed; run goldfish service install first.",
	},
	"not_ready": {ExitNotReady, "服务未就绪：{error}。", "The server is not ready: {error}."},
}

// Failure is why a command cannot do its work. Code is stable; the sentence is made when it is shown.
type Failure struct {
	Code  string
	Args  map[string]string
	Cause error
}

// Fail makes a failure. An unknown code shows as "internal".
func Fail(code string) *Failure { return &Failure{Code: code, Args: map[string]string{}} }

// With fills in one argument of the sentence and gives the failure itself.
func (f *Failure) With(name string, value any) *Failure {
	f.Args[name] = fmt.Sprint(value)
	return f
}

// Because keeps the cause, for the log.
func (f *Failure) Because(err error) *Failure {
	f.Cause = err
	return f
}

// Error is the English sentence.
func (f *Failure) Error() string { return f.Sentence("en") }

// Unwrap is the cause.
func (f *Failure) Unwrap() error { return f.Cause }

// ExitCode is the program's exit code after it.
func (f *Failure) ExitCode() int { return f.known().exit }

func (f *Failure) known() sentence {
	if s, ok := sentences[f.Code]; ok {
		return s
	}
	return sentences["internal"]
}

// Sentence is what to tell: in Chinese ("zh"), English ("en"), or both, one under the other.
func (f *Failure) Sentence(lang string) string {
	s := f.known()
	var pairs []string
	for name, value := range f.Args {
		pairs = append(pairs, "{"+name+"}", value)
	}
	if _, ok := f.Args["error"]; !ok {
		pairs = append(pairs, "{error}", f.Code)
	}
	fill := strings.NewReplacer(pairs...)
	return InBoth(lang, fill.Replace(s.zh), fill.Replace(s.en))
}

// InBoth picks a text by language: zh, en, or (anything else) both, Chinese first.
func InBoth(lang, zh, en string) string {
	switch lang {
	case "zh":
		return zh
	case "en":
		return en
	}
	return zh + "\n" + en
}

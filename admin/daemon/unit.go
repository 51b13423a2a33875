package daemon

import (
	"path/filepath"
	"strings"
)

// stateRoot is where systemd makes and owns a service's data folder itself.
const stateRoot = "/var/lib"

// systemdUnit is the text of our own unit. It stands in a file for all systems
// because it is text and can be tested everywhere.
//
// Type=notify: the service counts as started when it says so (Run), so that
// `start` returns when requests are answered. Restart=always with no start limit:
// a service that cannot start now (a port in use, a disk not there yet) is tried
// every 2 seconds until it can.
func (u Unit) systemdUnit() string {
	var b strings.Builder
	line := func(s ...string) { b.WriteString(strings.Join(s, "") + "\n") }
	line("# Written by `", u.Name, " service install`; changes are lost when it is run again.")
	line("# Put your own into a drop-in: systemctl edit ", u.Name)
	line("[Unit]")
	line("Description=", specifiers(u.Title))
	line("Wants=network-online.target")
	line("After=network-online.target")
	line("StartLimitIntervalSec=0")
	line("")
	line("[Service]")
	line("Type=notify")
	line("NotifyAccess=main")
	line("ExecStart=", command(append([]string{u.Program}, u.Args...)))
	line("User=", u.Name)
	line("Group=", u.Name)
	line("UMask=0077")
	line("Restart=always")
	line("RestartSec=2")
	line("# A file from an older version may be brought up to date first.")
	line("TimeoutStartSec=600")
	line("TimeoutStopSec=30")
	line("LimitNOFILE=65536")
	line("")
	line("# What it may write to. The machine key is not in the folder that people copy.")
	for _, dir := range u.folders() {
		switch state, ok := strings.CutPrefix(dir, stateRoot+"/"); {
		case ok:
			line("StateDirectory=", quoted(state))
		case dir != filepath.Clean(u.KeyDir) || !u.KeyStays:
			line("ReadWritePaths=", quoted(dir))
		}
	}
	line("StateDirectoryMode=0700")
	line("# Files that root put there, as in a restore, become the service's own. Links are not followed.")
	line("ExecStartPre=+", command(append([]string{"/bin/chown", "-Rh", u.Name + ":" + u.Name, "--"}, u.folders()...)))
	line("")
	b.WriteString(hardening)
	line("")
	line("[Install]")
	line("WantedBy=multi-user.target")
	return b.String()
}

// hardening is what the service goes without. Low ports stay open to it, because
// the client API belongs on 80 and 443. /proc is needed whole for the figures of
// processor and memory, netlink for the machine's own addresses.
const hardening = `# What it goes without.
NoNewPrivileges=yes
CapabilityBoundingSet=CAP_NET_BIND_SERVICE
AmbientCapabilities=CAP_NET_BIND_SERVICE
ProtectSystem=strict
ProtectHome=yes
ProtectClock=yes
ProtectHostname=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectProc=invisible
PrivateTmp=yes
PrivateDevices=yes
RemoveIPC=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged
SystemCallErrorNumber=EPERM
`

// command writes a command line as ExecStart reads it: quoted, and with nothing
// in it that systemd would expand (systemd.service(5), “Command lines”).
func command(words []string) string {
	out := make([]string, len(words))
	for i, w := range words {
		w = quoted(w)
		if i > 0 { // in the path of the program a dollar is a dollar
			w = strings.ReplaceAll(w, "$", "$$")
		}
		out[i] = w
	}
	return strings.Join(out, " ")
}

func quoted(s string) string {
	s = strings.ReplaceAll(s, `\`, `\\`)
	s = strings.ReplaceAll(s, `"`, `\"`)
	return `"` + specifiers(s) + `"`
}

// specifiers keeps systemd from expanding %-specifiers.
func specifiers(s string) string { return strings.ReplaceAll(s, "%", "%%") }

#!/usr/bin/env bash
# Installs the program as a service in a real systemd: a Debian from debootstrap, booted by systemd-nspawn.
#
#   .checks/nspawn.sh [BINARY]    default: built from this tree
#
# Needs root. Installs debootstrap and systemd-container where they are missing. The Debian is kept in
# $GOLDFISH_CACHE (default ~/.cache/goldfish) and never changed: each run boots a copy that goes when it ends.
set -euo pipefail
cd "$(dirname "$0")/.."

die() { printf 'nspawn.sh: %s\n' "$*" >&2; exit 1; }
[ "$(id -u)" = 0 ] || die 'root is needed'

readonly suite=bookworm cache=${GOLDFISH_CACHE:-$HOME/.cache/goldfish}
readonly base=$cache/debian-$suite name=goldfish-check-$$
binary=${1:-}
if [ -z "$binary" ]; then
	./build.sh build
	binary=.build/goldfish
fi
binary=$(realpath "$binary")

tools() {
	command -v debootstrap >/dev/null && command -v systemd-nspawn >/dev/null && return
	command -v apt-get >/dev/null || die 'debootstrap and systemd-nspawn are needed'
	apt-get update -qq
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends debootstrap systemd-container >/dev/null
}

debian() { # made aside and moved, so that half of one is never used
	[ -d "$base" ] && return
	mkdir -p "$cache"
	rm -rf "$base.new"
	debootstrap --variant=minbase --include=systemd,systemd-sysv,dbus,curl $suite "$base.new" >"$cache/debootstrap.log" ||
		die "debootstrap failed, see $cache/debootstrap.log"
	rm -rf "$base.new"/var/cache/apt/archives/*.deb
	mv "$base.new" "$base"
}

# ---- the machine ----

host='' leader='' console=''
boot() {
	console=$(mktemp)
	local options=(--quiet --directory="$base" --ephemeral --boot --machine="$name" --private-network --console=pipe
		--bind-ro="$binary":/root/goldfish --kill-signal=SIGRTMIN+3)
	[ -d /run/systemd/system ] || options+=(--register=no --keep-unit) # the host itself runs no systemd
	systemd-nspawn "${options[@]}" </dev/null >"$console" 2>&1 &
	host=$!
	trap 'kill "$host" 2>/dev/null || true; wait "$host" 2>/dev/null || true; rm -f "$console"' EXIT
	within 60 booted || { cat "$console"; die 'the machine did not boot'; }
}
booted() {
	kill -0 "$host" 2>/dev/null || return 1
	leader=$(pgrep -P "$host" | head -n 1) && [ -n "$leader" ] || return 1
	[[ $(inside systemctl is-system-running 2>/dev/null) =~ ^(running|degraded)$ ]]
}
inside() {
	nsenter --target "$leader" --mount --uts --ipc --net --pid -- \
		env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 "$@"
}
within() { # SECONDS COMMAND… waits until it succeeds
	local until=$((SECONDS + $1))
	shift
	until "$@"; do
		[ "$SECONDS" -lt "$until" ] || return 1
		sleep 0.1
	done
}

# ---- what is asked of it ----

healthy() { inside curl -fsS --max-time 2 -o /dev/null http://127.0.0.1:8990/healthz 2>/dev/null; }
unhealthy() { ! healthy; }
prop() { inside systemctl show --property="$1" --value goldfish.service; }
goldfish() { inside /usr/local/bin/goldfish "$@"; }
says() { # STATE, as people read it
	local out
	out=$(goldfish service status 2>&1) || true
	printf '%s\n' "$out" | sed 's/^/     | /'
	grep -qwF "$1" <<<"$out"
}

verified() { # no complaint of systemd's about the unit
	local out
	out=$(inside systemd-analyze verify /etc/systemd/system/goldfish.service 2>&1)
	[ -z "$out" ] || { printf '%s\n' "$out"; return 1; }
}
own_account() { [ "$(inside stat -c %U "/proc/$(prop MainPID)")" = goldfish ]; }
folders() {
	[ "$(inside stat -c '%U %a' /var/lib/goldfish)" = 'goldfish 700' ] &&
		[ "$(inside stat -c '%U %a' /etc/goldfish)" = 'goldfish 700' ] &&
		[ "$(inside stat -c '%U %a' /var/lib/goldfish-state)" = 'goldfish 700' ] &&
		[ -n "$(inside ls -A /var/lib/goldfish-state)" ] &&
		[ -n "$(inside ls -A /var/lib/goldfish)" ]
}
key_apart() {
	local keys key
	keys=$(inside find /etc/goldfish -type f)
	[ -n "$keys" ] || return 1
	for key in $keys; do
		[ "$(inside stat -c '%U %a' "$key")" = 'goldfish 600' ] || return 1
	done
}
no_more_rights() { # the account cannot gain any, and cannot write elsewhere
	inside grep -q '^NoNewPrivs:.*1$' "/proc/$(prop MainPID)/status" &&
		inside grep -q '^CapBnd:.*0000000000000400$' "/proc/$(prop MainPID)/status" &&
		inside grep -q '^Seccomp:.*2$' "/proc/$(prop MainPID)/status"
}
key_untouched() { # once it lies there the service cannot write beside it
	! inside nsenter --target "$(prop MainPID)" --mount -- touch /etc/goldfish/x
}
put_back() { # a copy that root puts in the place of the file is looked at first, by a process that the unit allows
	goldfish service stop &&
		inside sh -c 'cp /var/lib/goldfish/goldfish.db /root/copy.db && mv -f /root/copy.db /var/lib/goldfish/goldfish.db' &&
		goldfish service start && healthy &&
		inside grep -q 'came from elsewhere and passed' /var/lib/goldfish/logs/app.log &&
		! inside grep -q 'without a process of its own' /var/lib/goldfish/logs/app.log
}
back_after_kill() {
	local pid from
	pid=$(prop MainPID)
	from=$(date +%s%N)
	inside sh -c "kill -9 $pid"
	within 5 unhealthy || return 1
	within 5 healthy || return 1
	printf '     | back after %d ms\n' $((($(date +%s%N) - from) / 1000000))
	[ "$(prop MainPID)" != "$pid" ] && [ $((($(date +%s%N) - from) / 1000000)) -le 5000 ]
}
new_process() { # COMMAND…
	local pid
	pid=$(prop MainPID)
	"$@" && healthy && [ "$(prop MainPID)" != "$pid" ]
}
same_unit() {
	local sum
	sum=$(inside sha256sum /etc/systemd/system/goldfish.service)
	inside /root/goldfish service install && [ "$(inside sha256sum /etc/systemd/system/goldfish.service)" = "$sum" ]
}
refused_to_others() { ! inside setpriv --reuid=nobody --regid=nogroup --clear-groups /usr/local/bin/goldfish service stop && healthy; }
stays_stopped() { ! within 4 healthy && [ "$(prop ActiveState)" = inactive ]; }
roots_files() { # as a restore by root leaves them
	goldfish service stop &&
		inside sh -c 'chown root:root /var/lib/goldfish/* /etc/goldfish/*' &&
		goldfish service start && healthy &&
		[ -z "$(inside find /var/lib/goldfish /etc/goldfish -user root)" ]
}
not_taken() { ! inside /root/goldfish service install --data /etc/systemd && [ "$(inside stat -c %U /etc/systemd)" = root ]; }
gone() { [ "$(prop LoadState)" = not-found ] && ! inside test -e /etc/systemd/system/goldfish.service; }
data_stays() { [ -n "$(inside ls -A /var/lib/goldfish)" ] && [ -n "$(inside ls -A /etc/goldfish)" ]; }

passed=0 failed=0
check() { # WHAT COMMAND…
	local what=$1 out
	shift
	if out=$("$@" 2>&1); then
		passed=$((passed + 1))
		printf 'ok   %s\n%s' "$what" "${out:+$out$'\n'}"
	else
		failed=$((failed + 1))
		printf 'FAIL %s\n%s' "$what" "${out:+$out$'\n'}"
		inside journalctl --no-pager -u goldfish -n 20 2>/dev/null | sed 's/^/     > /' || true
	fi
}

tools
debian
boot
printf 'systemd %s in Debian %s, program %s\n' "$(inside systemctl --version | sed -n '1s/^systemd \([0-9]*\).*/\1/p')" "$(inside cat /etc/debian_version)" "$binary"
check 'not installed yet' inside sh -c '/root/goldfish service status 2>&1 | grep -w "not installed"'
check 'install, from a home folder' inside /root/goldfish service install
check 'the unit pleases systemd-analyze verify' verified
check 'it starts with the machine' inside systemctl is-enabled goldfish
check 'status: stopped' says stopped
check 'install again changes nothing' same_unit
check 'start returns when it is started' goldfish service start
check 'it answers at once' healthy
check 'status: running' says running
check 'start again does no harm' goldfish service start
check 'it runs as its own account' own_account
check 'the folders are its own, 0700' folders
check 'the key is outside the data folder, 0600' key_apart
check 'the service cannot write to the folder of the key' key_untouched
check 'it can gain no rights' no_more_rights
for n in first second third; do check "after the $n kill -9 it is back within 5 s" back_after_kill; done
check 'restart' new_process goldfish service restart
check 'files that root put there become its own' roots_files
check 'a file that root put back is checked first' put_back
check 'a folder with other things is not taken' not_taken
check 'others may not stop it' refused_to_others
check 'stop' goldfish service stop
check 'it stays stopped' stays_stopped
check 'status: stopped' says stopped
check 'stop again does no harm' goldfish service stop
check 'start after stop' goldfish service start
check 'it answers' healthy
check 'uninstall while it runs' goldfish service uninstall
check 'it is gone from systemd' gone
check 'it does not answer' unhealthy
check 'status: not installed' says 'not installed'
check 'uninstall again does no harm' goldfish service uninstall
check 'data and key stay' data_stays
printf 'nspawn: %d passed, %d failed\n' "$passed" "$failed"
[ "$failed" = 0 ]

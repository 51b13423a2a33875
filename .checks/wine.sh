#!/usr/bin/env bash
# Runs the Windows program as far as Debian's wine carries it: install, status, uninstall.
#
#   .checks/wine.sh [PROGRAM.exe]    default: cross-compiled from this tree
#
# Installs wine and mingw where they are missing (root on Debian). Debian 12's wine lacks bcryptprimitives.dll, from
# which Go takes its random numbers, so a small one is built.
set -euo pipefail
cd "$(dirname "$0")/.."

die() { printf 'wine.sh: %s\n' "$*" >&2; exit 1; }
find_wine() { command -v wine64 || { [ -x /usr/lib/wine/wine64 ] && echo /usr/lib/wine/wine64; }; }

if ! find_wine >/dev/null || ! command -v x86_64-w64-mingw32-gcc >/dev/null; then
	[ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || die 'needed, as Debian packages: wine wine64 gcc-mingw-w64-x86-64'
	apt-get update -qq
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends wine wine64 gcc-mingw-w64-x86-64 >/dev/null
fi
wine=$(find_wine) || die 'no wine64'
server=$(dirname "$(readlink -f "$wine")")/wineserver64
[ -x "$server" ] || server=$(command -v wineserver) || die 'no wineserver'

work=$(mktemp -d)
export WINEPREFIX=$work/prefix WINEDEBUG=-all WINEDLLOVERRIDES='mscoree,mshtml=;winemenubuilder.exe=' DISPLAY=
trap '"$server" -k >/dev/null 2>&1 || true; rm -rf "$work"' EXIT

program=${1:-}
if [ -z "$program" ]; then
	GOOS=windows GOARCH=amd64 CGO_ENABLED=0 go build -trimpath -buildvcs=false -o "$work/goldfish.exe" .
else
	cp "$program" "$work/goldfish.exe"
fi

cat >"$work/random.c" <<'C'
#include <windows.h>
BOOLEAN NTAPI SystemFunction036(PVOID, ULONG);
__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE data, SIZE_T size) { return SystemFunction036(data, (ULONG)size); }
C
x86_64-w64-mingw32-gcc -shared -O2 -o "$work/bcryptprimitives.dll" "$work/random.c" -ladvapi32

# Wine's background processes keep what they inherit open, so nothing here may be a pipe.
"$wine" wineboot -i </dev/null >"$work/boot.log" 2>&1 || { cat "$work/boot.log"; die 'wineboot failed'; }
cp "$work/bcryptprimitives.dll" "$WINEPREFIX/drive_c/windows/system32/"
"$server" -w
"$server" -p >/dev/null 2>&1 # one server for all calls, or the list of services is read anew each time

goldfish() { # VERB…; its output is left in $work/out
	timeout 120 "$wine" "$work/goldfish.exe" "$@" </dev/null >"$work/out" 2>&1
}
says() { goldfish service status && grep -qwF "$1" "$work/out"; }
registry() { grep -qaiF "$1" "$WINEPREFIX/system.reg"; }
flushed() { # wine writes its registry to the file when its server ends
	"$server" -k && "$server" -w && "$server" -p >/dev/null 2>&1 && registry "$1"
}
not_registered() { "$server" -k && "$server" -w && ! registry "$1"; }

passed=0 failed=0
check() { # WHAT COMMAND…
	local what=$1
	shift
	: >"$work/out"
	if "$@"; then
		passed=$((passed + 1))
		printf 'ok   %s\n' "$what"
	else
		failed=$((failed + 1))
		printf 'FAIL %s\n' "$what"
	fi
	tr -d '\r' <"$work/out" | sed 's/^/     | /'
}

printf '%s, %s\n' "$("$wine" --version)" "$(go version 2>/dev/null || true)"
check 'not installed yet' says 'not installed'
check 'install' goldfish service install
check 'status: stopped' says stopped
check 'install again' goldfish service install
check 'the registered program is the copy in Program Files' flushed 'Program Files\\goldfish\\goldfish.exe'
check 'it has an account of its own' registry '"ObjectName"="NT SERVICE\\goldfish"'
check 'status after a restart: stopped' says stopped
check 'uninstall' goldfish service uninstall
check 'status: not installed' says 'not installed'
check 'uninstall again' goldfish service uninstall
check 'it is gone from the registry' not_registered 'Services\\goldfish]'
cat <<'PLAIN'
NOT RUN, because wine cannot: start, stop and restart under the service control manager (the program does not recognise
wine's as one), recovery after a crash (wine knows no recovery settings), the folders' access lists as another account
meets them, the event log. Nothing of this has been run on a real Windows, nor on Windows for ARM.
PLAIN
printf 'wine: %d passed, %d failed\n' "$passed" "$failed"
[ "$failed" = 0 ]

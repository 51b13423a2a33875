#!/usr/bin/env bash
# Everything that is done with this tree. ./build.sh without a verb lists what there is.
set -euo pipefail
cd "$(dirname "$0")"

# Parts without which a test run is no test run. A part that exists is always run; one that is named here must exist.
REQUIRED=(go binary openapi sdk ui demo)
declare -rA PART=([go]=hub [binary]=main.go [openapi]=assets/openapi.json [sdk]=assets/sdk/python/tests [ui]=assets/ui/package.json [demo]=.checks/demo.py)

readonly gofumpt=mvdan.cc/gofumpt@v0.12.0 staticcheck=honnef.co/go/tools/cmd/staticcheck@v0.8.2
readonly out=.build/goldfish
readonly targets=(linux/amd64 linux/arm64 windows/amd64 windows/arm64 darwin/amd64 darwin/arm64)

export CGO_ENABLED=0 # static; only the race detector needs a C compiler
export GOLDFISH_BIN="$PWD/$out"
export PYTHONDONTWRITEBYTECODE=1 PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1
[ -t 1 ] || export NO_COLOR=1
# git refuses a tree that belongs to another user, as a mounted one does.
export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0="$PWD"

die() { printf 'build.sh: %s\n' "$*" >&2; exit 1; }
has() { [ -e "${PART[$1]}" ]; }

# ---- steps ----

step_name='' step_count=0
step() { # NAME COMMAND…
	step_name=$1
	shift
	local from=$SECONDS
	printf '\n== %s\n' "$step_name"
	"$@"
	printf -- '-- %s: %d s\n' "$step_name" $((SECONDS - from))
	step_name='' step_count=$((step_count + 1))
}
trap 'status=$?; [ $status = 0 ] || [ -z "$step_name" ] || printf "\nFAILED: %s (after %d s in all)\n" "$step_name" "$SECONDS"' EXIT

closing() { # VERB
	local off=()
	for p in "${!PART[@]}"; do has "$p" || off+=("$p"); done
	printf '\n%s: %d steps passed in %d s\n' "$1" "$step_count" "$SECONDS"
	[ ${#off[@]} = 0 ] || printf 'NOT IN THIS TREE YET, so not run: %s\n' "${off[*]}"
}

require_parts() {
	for p in "${REQUIRED[@]}"; do has "$p" || die "the part '$p' is required, but ${PART[$p]} is missing"; done
}

# ---- tools ----

need_go() { command -v go >/dev/null || die "Go $(sed -n 's/^go //p' go.mod) or newer is needed: https://go.dev/dl/"; }

node_is_new() { # what the console's build tools ask for
	command -v npm >/dev/null && node -e 'const [a, b] = process.versions.node.split(".").map(Number)
		process.exit(a > 22 || a === 22 && b >= 12 || a === 20 && b >= 19 ? 0 : 1)' 2>/dev/null
}

find_chromium() {
	local name
	for name in chromium chromium-browser google-chrome; do command -v "$name" && return; done
	return 1
}

missing() { # prints the Debian packages whose tools are not there
	command -v gcc >/dev/null && echo '#include <stdlib.h>' | gcc -E - >/dev/null 2>&1 || echo gcc libc6-dev
	command -v git >/dev/null || echo git
	command -v curl >/dev/null || echo curl
	command -v python3 >/dev/null || echo python3
	command -v rsync >/dev/null || echo rsync # with cp, tar and Python it copies the running file in the tests
	[ "$(id -u)" = 0 ] || command -v fusermount3 >/dev/null || echo fuse3 # the tests mount a disk that fails
	if has sdk; then python3 -c 'import cryptography' 2>/dev/null || echo python3-cryptography; fi # the SDK uses it where it is
	has ui || return 0
	node_is_new || command -v npm >/dev/null || echo npm
	find_chromium >/dev/null || echo chromium
	[ -n "$(fc-list :lang=zh 2>/dev/null)" ] || echo fontconfig fonts-noto-cjk
}

# own_node puts the Node of .checks/node before the machine's, if that is too old.
own_node() {
	has ui || return 0
	node_is_new && return
	local dir=.cache/node
	if ! cmp -s .checks/node/package-lock.json $dir/.locked; then
		mkdir -p $dir
		cp .checks/node/package.json .checks/node/package-lock.json .checks/node/.npmrc $dir/
		(cd $dir && npm ci --no-audit --no-fund --loglevel=error)
		cp .checks/node/package-lock.json $dir/.locked
	fi
	# An older npm makes no link for a program called node, so its own folder comes first.
	PATH="$(echo "$PWD/$dir"/node_modules/node-linux-*/bin):$PWD/$dir/node_modules/.bin:$PATH"
	export PATH
	node_is_new || die "Node 20.19 or newer is needed, and the one from .checks/node does not run here"
}

tools() {
	need_go
	local lacking
	lacking=$(missing | xargs)
	if [ -n "$lacking" ]; then
		[ "$(id -u)" = 0 ] && command -v apt-get >/dev/null ||
			die "missing on this machine, as Debian packages: $lacking (root on Debian would install them)"
		printf 'installing: %s\n' "$lacking"
		apt-get update -qq
		# shellcheck disable=SC2086 # several names
		DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends ca-certificates $lacking >.build/apt.log ||
			{ tail -n 20 .build/apt.log; die 'apt-get could not install them'; }
		lacking=$(missing | xargs)
		[ -z "$lacking" ] || die "still missing after installing: $lacking"
	fi
	[ -c /dev/fuse ] || die "the device /dev/fuse is missing, which the tests of a power cut need (modprobe fuse; in a container: --device /dev/fuse --cap-add SYS_ADMIN)"
	own_node
	go version
	if has ui; then
		CHROMIUM=$(find_chromium)
		export CHROMIUM
		printf 'node %s, npm %s, %s\n' "$(node --version)" "$(npm --version)" "$("$CHROMIUM" --version)"
	fi
}

# ---- building ----

version() { printf '%s' "${VERSION:-$(git describe --tags --always --dirty 2>/dev/null || echo dev)}"; }

compile() { # FILE [GOOS/GOARCH]
	local system=${2:-}
	[ -z "$system" ] || export GOOS=${system%/*} GOARCH=${system#*/}
	go build -trimpath -buildvcs=false -ldflags "-s -w -X main.version=$(version)" -o "$1" .
}

build() {
	need_go
	compile $out
}

modules() { # the console's, exactly as locked; left alone if they are
	cmp -s assets/ui/package-lock.json assets/ui/node_modules/.locked && return
	(cd assets/ui && npm ci --no-audit --no-fund)
	cp assets/ui/package-lock.json assets/ui/node_modules/.locked
}

ui() { (cd assets/ui && npm run build); }

release() {
	local version target system arch name
	version=$(version)
	rm -rf .dist
	mkdir -p .dist
	for target in "${targets[@]}"; do
		system=${target%/*} arch=${target#*/}
		name=goldfish_${version#v}_${system}_$arch
		[ "$system" != windows ] || name=$name.exe
		(compile ".dist/$name" "$target")
		printf '%s\n' "$name"
	done
	(cd .dist && sha256sum goldfish_* >SHA256SUMS && sha256sum --check --quiet SHA256SUMS && cat SHA256SUMS)
}

# ---- checks ----

go_files() { git ls-files --cached --others --exclude-standard -- '*.go' | while IFS= read -r f; do [ ! -f "$f" ] || printf '%s\n' "$f"; done; }

formatted() {
	local wrong
	wrong=$(go_files | xargs go run $gofumpt -l)
	[ -z "$wrong" ] || { printf 'not formatted by gofumpt:\n%s\n' "$wrong"; return 1; }
}

vet() { go vet ./... ./.checks/arrows ./.checks/oldclock && GOOS=windows go vet ./... && GOOS=darwin go vet ./...; }

same_openapi() {
	$out openapi >.build/openapi.json
	cmp .build/openapi.json assets/openapi.json || die "assets/openapi.json is not what the code says: $out openapi >assets/openapi.json"
}

same_types() {
	(cd assets/ui && npx --no-install openapi-typescript ../openapi.json --output ../../.build/types.ts >/dev/null)
	cmp .build/types.ts assets/ui/src/api/types.ts || die "src/api/types.ts is not what openapi.json says: npm run types"
}

same_dist() {
	rm -rf .build/dist
	(cd assets/ui && npx --no-install vite build --outDir ../../.build/dist --emptyOutDir --logLevel warn)
	diff -rq .build/dist assets/ui/dist || die "assets/ui/dist is not what the sources give: ./build.sh ui"
}

check() {
	step 'format' formatted
	step 'rules of the house' .checks/rules.sh
	step 'arrows' go run ./.checks/arrows
	step 'vet (linux, windows, darwin)' vet
	step 'staticcheck' go run $staticcheck ./... ./.checks/arrows ./.checks/oldclock
	if has binary; then step 'binary' build; fi
	if has openapi; then step 'openapi.json as the code says' same_openapi; fi
	if has ui; then
		step 'console: modules as locked' modules
		if has openapi; then step 'console: types as openapi.json says' same_types; fi
		step 'console: types and lint' npm --prefix assets/ui run check
		step 'console: dist as the sources give' same_dist
	fi
}

# ---- tests ----

go_tests() { CGO_ENABLED=1 go test -race -timeout 15m ./...; }

sdk_tests() { # a run without a test, or with one left out, is no pass
	local log=.build/sdk-tests.log
	(cd assets/sdk/python && PYTHONPATH=. python3 -X dev -m unittest discover -s tests) 2>&1 | tee $log
	grep -qE '^Ran [1-9]' $log || die "no test of the SDK ran"
	! grep -qE '^OK \(.*skipped' $log || die "a test of the SDK was left out"
}

demo() { python3 .checks/demo.py $out; }
sdk_real() { python3 .checks/sdk_real.py $out; }

tests() {
	require_parts
	step 'tools' tools
	check
	step 'go test -race' go_tests
	if has sdk; then
		step 'python sdk' sdk_tests
		if has binary; then step 'python sdk against the binary' sdk_real; fi
	fi
	if has ui; then
		step 'console: vitest' npm --prefix assets/ui test
		if has binary; then step 'console: the first hour in Chromium' npm --prefix assets/ui run e2e; fi
	fi
	if has demo; then step 'demo' demo; fi
	closing test
}

# ---- verbs ----

dev() { # the console by Vite with live reload, the API by the binary
	build
	[ -d assets/ui/node_modules ] || modules
	$out serve --data .data "$@" &
	local server=$!
	# shellcheck disable=SC2064 # this very process
	trap "kill $server 2>/dev/null || true" EXIT
	npm --prefix assets/ui run dev
}

verb=${1:-}
[ $# = 0 ] || shift
mkdir -p .build
case $verb in
run)
	build
	exec $out serve --data .data "$@"
	;;
test) tests ;;
check)
	need_go
	own_node
	check
	closing check
	;;
build)
	build
	printf '%s %s\n' "$out" "$(version)"
	;;
release)
	need_go
	step 'release' release
	;;
demo)
	build
	demo
	;;
dev)
	own_node
	dev "$@"
	;;
ui)
	own_node
	modules
	ui
	;;
bench)
	need_go
	go test -run '^$' -bench "${1:-.}" -benchmem ./...
	;;
*)
	cat >&2 <<-'USAGE'
		./build.sh run [flags]   build and start on the folder .data
		./build.sh test          every check and test; installs what a Debian machine lacks
		./build.sh check         format, rules, arrows, generated files
		./build.sh build         .build/goldfish
		./build.sh release       static binaries for all systems, with checksums, in .dist
		./build.sh demo          the main job, end to end, against a throw-away file
		./build.sh dev [flags]   the console with live reload
		./build.sh ui            build the console into assets/ui/dist
		./build.sh bench [regex] the Go benchmarks
	USAGE
	exit 2
	;;
esac

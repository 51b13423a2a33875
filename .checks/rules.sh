#!/usr/bin/env bash
# Rules of the house that a search can find broken. Each prints the lines that break it; any makes the script exit 1.
set -uo pipefail
cd "$(dirname "$0")/.."
broken=0

# files PATTERN… lists what git knows or would add, without what is generated or not ours to edit.
files() {
	git ls-files --cached --others --exclude-standard -- "$@" |
		grep -vE '(^|/)(dist|testdata|node_modules)/|_gen\.go$|/src/api/types\.ts$' |
		while IFS= read -r f; do [ -f "$f" ] && printf '%s\n' "$f"; done
}

# rule NAME REASON OFFENCES
rule() {
	if [ -n "$3" ]; then
		broken=$((broken + 1))
		printf '%s: %s\n%s\n' "$1" "$2" "$(head -n 20 <<<"$3")"
	fi
}

# search REGEX PATTERN… prints file:line:text, leaving out the scripts that hold these very expressions.
search() {
	local regex=$1
	shift
	files "$@" | grep -vE '^(build\.sh|\.checks/)' | tr '\n' '\0' | xargs -0 -r grep -nIE "$regex" /dev/null
}

code=('*.go' '*.ts' '*.tsx' '*.py' '*.sh' '*.css')

rule "long file" "more than 500 lines; a file is one thought" \
	"$(files "${code[@]}" | grep -vE '^assets/sdk/[a-z]+/goldfish\.[a-z]+$' | tr '\n' '\0' | xargs -0 -r wc -l | awk '$2 != "total" && $1 > 500 {print $2 ": " $1}')"
rule "unfinished" "finish it or leave it out" \
	"$(search '\b(T[O]DO|F[I]XME|X[X]X|H[A]CK)\b' "${code[@]}")"
rule "skipped test" "a test that does not run proves nothing" \
	"$(search '\bt\.Skip|b\.Skip|\b(test|it|describe)\.(skip|only|todo)\b|unittest\.(skip|expectedFailure)|skipTest\(' '*_test.go' '*.test.ts' '*.test.tsx' '*.spec.ts' '*.py')"
rule "sleeping test" "wait for the condition itself" \
	"$(search 'time\.Sleep\(|waitForTimeout\(' '*_test.go' '*.test.ts' '*.test.tsx' '*.spec.ts')"
rule "machine's own path" "it exists on one machine only" \
	"$(search '(^|[^A-Za-z0-9_.:/-])/(home|root|Users|work|workspace|mnt)/[A-Za-z0-9_.-]' '*' ':!*test*')"
rule "lock file with addresses" "whoever installs chooses where from" \
	"$(git ls-files --cached --others --exclude-standard -- '*package-lock.json' '*.npmrc' | tr '\n' '\0' | xargs -0 -r grep -nE '"resolved"|registry *=' /dev/null)"
rule "inline replacement" "a module of one machine" "$(grep -nE '^\s*replace\b' go.mod)"

[ "$broken" = 0 ] || { echo "rules: $broken broken"; exit 1; }
echo "rules: none broken"

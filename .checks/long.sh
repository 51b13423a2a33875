#!/usr/bin/env bash
# The long suite: the tests that promise the file's safety, with the counts that they are published with. It takes hours and
# needs what ./build.sh test needs, and rsync for the copies. A regular expression picks tests.
#   .checks/long.sh [REGEX]
set -euo pipefail
cd "$(dirname "$0")/.."

export GOLDFISH_LONG=1
log=.build/long.log
mkdir -p .build
mapfile -t files < <(git grep -lE 'GOLDFISH_LONG|\blong\(\)' -- '*_test.go')
mapfile -t packages < <(printf './%s\n' "${files[@]%/*}" | sort -u)

from=$SECONDS status=0
nice -n 10 go test -count=1 -p 1 -timeout 6h -v -run "${1:-.}" "${packages[@]}" >$log 2>&1 || status=$?

# What those tests say at their end: rounds, cut points, copies, files, histories.
names=$(printf '%s\n' "${files[@]##*/}" | paste -sd'|')
printf '\n== what the long suite counted\n'
grep -E "^ +($names):[0-9]+: " $log | sed -E 's/^ +//' || true
printf '\n== tests\n%s passed, %s failed, in %d minutes; all of it is in %s\n' \
	"$(grep -c '^--- PASS' $log || true)" "$(grep -c '^--- FAIL' $log || true)" $(((SECONDS - from) / 60)) $log
if [ "$status" != 0 ]; then
	grep -E '^(--- FAIL|FAIL|panic:)' $log || tail -n 30 $log
	exit "$status"
fi

#!/usr/bin/env bash
# Runs `npm test` several times beside four busy loops on the same two cores, and prints the result of each run:
# scripts/busy-test.sh [times, default 3]. A test that fails only here depends on the wall clock. Linux only:
# `taskset` keeps the loops and the tests on two cores.
set -uo pipefail
cd "$(dirname "$0")/.."
times=${1:-3}

cores=$(taskset -cp $$ | sed 's/.*: //' | tr ',' '\n' | awk -F- '{ for (i = $1; i <= $NF; i++) print i }' |
  head -n 2 | paste -sd,)
taskset -cp "$cores" $$ >/dev/null || exit 1

loops=()
trap 'kill "${loops[@]}" 2>/dev/null' EXIT
trap 'exit 130' INT TERM
for _ in 1 2 3 4; do
  # A loop also ends if this script is killed.
  (while kill -0 $$; do for ((i = 0; i < 1000000; i++)); do :; done; done) 2>/dev/null &
  loops+=($!)
done

verdicts=()
failed=0
for ((run = 1; run <= times; run++)); do
  printf '\n━━━━ npm test beside four busy loops, run %s of %s ━━━━\n' "$run" "$times"
  start=$SECONDS
  if npm test </dev/null; then verdict=passed; else verdict=failed failed=1; fi
  verdicts+=("run $run: $verdict after $((SECONDS - start)) s")
done

echo
printf '%s\n' "${verdicts[@]}"
exit "$failed"

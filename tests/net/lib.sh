# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
#
# lib.sh - what every shell test shares: a place, a switch, a verdict
#
# Sourced, by bash.  Gives the test a directory $T of its own, runs swd in it,
# prints one "ok - " or "not ok - " line per check, and on every way out ends
# what was started and removes $T.  A shell that is killed outright takes its
# processes with it, because the kernel does it (setpriv --pdeathsig); for the
# same reason nothing may be started in a subshell.
#
#	. "${0%/*}/lib.sh"
#	require jq
#	start_swd
#	check "a null port can be added" swctl port add p0 type null
#	check "every frame is accounted for" conserved br0
#	verdict
#
# $SWD and $SWCTL name other programs than those of $BUILD (default build/); the
# array swd_in is a command that runs swd, such as one that enters a namespace.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
BUILD=${BUILD:-$ROOT/build}
SWD=${SWD:-$BUILD/swd}
SWCTL=${SWCTL:-$BUILD/swctl}
T=$(mktemp -d "${TMPDIR:-/tmp}/swd.XXXXXX") || exit 1
swd_pid=
swd_in=()
n_checks=0
n_failed=0

# Prints one sentence to the test's own stderr, even from within a check, and
# ends the test as failed.
exec {own_stderr}>&2
die() {
	printf '%s: %s\n' "$(basename "$0" .sh)" "$*" >&$own_stderr
	exit 1
}

# Ends the test with a sentence when one of the programs "$@" is missing.
require() {
	local tool
	for tool; do
		command -v "$tool" >/dev/null || die "$tool is missing;" \
			"run tests/net/install.sh check"
	done
}

# Prints a time in milliseconds.
now_ms() {
	local t=${EPOCHREALTIME//[!0-9]/}
	echo $((t / 1000))
}

# Succeeds as soon as the command "$2".. does; fails after $1 seconds.
eventually() {
	local end=$(($(now_ms) + $1 * 1000))
	shift
	until "$@"; do
		[ "$(now_ms)" -lt "$end" ] || return 1
		sleep 0.05
	done
}

# Starts "$2".. with its output in file $1; sets $pid.
start() {
	local log=$1
	shift
	setpriv --pdeathsig KILL "$@" >>"$log" 2>&1 </dev/null &
	pid=$!
}

# Whether process $1 is a child that has not ended: a number alone could be
# somebody else's by now.
running() {
	[[ " $(jobs -rp | tr '\n' ' ')" == *" $1 "* ]]
}

# Sends signal $2 (TERM) to child $1 and waits up to five seconds before it is
# killed.  Returns its exit status; bash's own remark on it is not wanted.
stop() {
	local i
	! running "$1" || kill -"${2-TERM}" "$1"
	for ((i = 0; i < 100; i++)); do
		running "$1" || break
		sleep 0.05
	done
	! running "$1" || kill -KILL "$1"
	wait "$1"
} 2>/dev/null

# Prints the end of the switch's log as comments.
show_log() {
	[ ! -s "$T/swd.log" ] || tail -n 20 "$T/swd.log" | sed 's/^/# swd: /'
}

# Ends, and removes, what the test has left.
cleanup() {
	local status=$? p
	trap '' INT TERM HUP
	for p in $(jobs -rp); do
		kill -TERM "$p" 2>/dev/null
	done
	for p in $(jobs -rp); do
		stop "$p"
	done
	[ "$n_failed" = 0 ] || show_log
	rm -rf "$T"
	exit "$status"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

swctl() {
	"$SWCTL" -S "$T/swd.sock" "$@"
}

swd_answers() {
	swctl -j bridge show >/dev/null 2>&1
}

swd_answers_or_died() {
	swd_answers || ! running "$swd_pid"
}

# Starts swd with run directory $T and options "$@", and returns when it
# answers.  Sets $swd_pid; fails when it died or was silent for five seconds.
start_swd() {
	[ -x "$SWD" ] && [ -x "$SWCTL" ] ||
		die "$SWD or $SWCTL is missing; run make"
	start "$T/swd.log" "${swd_in[@]}" "$SWD" -r "$T" "$@"
	swd_pid=$pid
	eventually 5 swd_answers_or_died && swd_answers
}

# Ends swd with signal $1 (TERM); returns its exit status.
stop_swd() {
	stop "$swd_pid" "${1-TERM}"
}

has_ended() {
	! running "$1"
}

# Has another swd take over from the one that runs, which ends by itself, with
# status 0.  Sets $swd_pid.
take_over() {
	local before=$swd_pid status
	start "$T/swd.log" "${swd_in[@]}" "$SWD" --takeover -r "$T"
	eventually 10 has_ended "$before" || return
	wait "$before"
	status=$?
	swd_pid=$pid
	echo "the one before ended with status $status"
	[ $status = 0 ] && eventually 5 swd_answers
}

# Prints, as a comment, how long no worker was at the queues: median and worst.
show_pauses() {
	sed -n 's/.*after a pause of \([0-9]*\) us/\1/p' "$T/swd.log" | sort -n |
		awk '{ v[NR] = $1 } END { if (NR) printf "# %d takeovers: " \
			"pause median %.2f ms, worst %.2f ms\n", NR,
			v[int((NR + 1) / 2)] / 1000, v[NR] / 1000 }'
}

# Whether ping's output on stdin, named $1, has a line for each number between
# the first and the last that was answered: what was on its way when ping was
# ended does not count.  Prints the slowest as a comment.
no_ping_missing() {
	awk -v what="$1" '
		match($0, /seq=[0-9]+/) {
			seq = substr($0, RSTART + 4, RLENGTH - 4) + 0
			if (!n++) first = seq
			if (seq > last) last = seq
		}
		match($0, /time=[0-9.]+/) {
			ms = substr($0, RSTART + 5, RLENGTH - 5) + 0
			if (ms > worst) worst = ms
		}
		END {
			missing = last - first + 1 - n
			printf "# %s: %d pings, %d missing, slowest %.1f ms\n",
				what, n, missing, worst
			exit !n || missing
		}' | tee -a /dev/fd/$own_stderr
	return "${PIPESTATUS[0]}"
}

# Prints one line for check $1, which the command "$2".. passes or fails.
check() {
	local what=$1
	shift
	n_checks=$((n_checks + 1))
	if "$@" >"$T/check.log" 2>&1; then
		echo "ok - $what"
	else
		n_failed=$((n_failed + 1))
		echo "not ok - $what"
		sed 's/^/# /' "$T/check.log"
	fi
}

# Ends the test: passed when every check did and there was at least one.
verdict() {
	[ "$n_failed" = 0 ] && [ "$n_checks" != 0 ]
	exit
}

# Prints "TAKEN ACCOUNTED" over the ports of bridge $1: frames taken in plus
# the extra copies of floods, and frames sent plus frames dropped by any reason.
balance() {
	swctl -j -s port show | jq -r --arg bridge "$1" '
		map(select(.bridge == $bridge)) |
		"\(map(.rx_packets + .flooded + .tx_segments) | add // 0) " +
		"\(map(.tx_packets + .tx_merged + ([.drops[]] | add // 0)) |
			add // 0)"'
}

balanced() {
	local taken accounted
	read -r taken accounted < <(balance "$1")
	echo "taken ${taken:-nothing}, accounted for ${accounted:-nothing}"
	[ -n "$taken" ] && [ "$taken" -gt 0 ] && [ "$taken" = "$accounted" ]
}

# Whether no frame of bridge $1 has been lost or invented since its ports were
# added: exactly, once the frames that are under way have arrived.  A deleted
# port takes its counters with it, so ask before deleting.
conserved() {
	eventually 2 balanced "$1" >/dev/null || {
		balanced "$1"
		swctl -j -p -s port show
		return 1
	}
}

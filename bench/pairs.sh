# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
#
# pairs.sh - what the runners share that compare switches in pairs of samples
#
# Sourced, after tests/net/lib.sh.  All switches forward on cpu 0, under a load
# that comes from cpu 1.  The time that a cache line takes between the two cores
# decides more than the switch does, and changes by itself; so a sample of one
# switch (A) and one of another (B) are taken in turn, A B B A A B .., and a
# pair counts only if the cores were near (below 160 ns) or far before and after
# both, and if other programs took less than 10 % of a cpu.  Ratios are taken
# within pairs, and medians over the pairs of one state.
#
# A runner starts its switches, enters the process of each in switch_pid[NAME]
# and freezes it, and defines "load NAME SIZE", which becomes (exec) a program
# that loads this switch with frames of SIZE bytes and prints how many millions
# arrived a second, how many were lost, the per cent of a cpu that others took,
# and, if it likes, what all this cost.  A runner whose numbers mean something
# else says so in $unit and $sized.
#
#	. "$BENCH/pairs.sh"
#	begin_pairs "what runs where"
#	start_.. NAME; freeze NAME
#	measure 64 swd ovs
#	table

NEAR_NS=160
DISTURBED=10 # per cent of a cpu that other programs take
PATIENCE=${PATIENCE:-20} # seconds to wait for them to end before a sample
PAGES=1024   # of 2 MiB: what ovs-vswitchd takes, and DPDK's programs
HUGE=/sys/kernel/mm/hugepages/hugepages-2048kB
n_pairs=5 sizes="64 1500" seconds=2
unit=Mpps sized=size
columns=(size versus pair switch c2c_before c2c_after mpps lost waited cost)
declare -A switch_pid=()
pages_before='' pages_set='' loader='' raw=''

# Leaves the machine as it was; the rest is done by cleanup().
finish() {
	local status=$? name
	trap '' INT TERM HUP
	if [ -n "$loader" ]; then
		stop "$loader"
	fi
	for name in "${!switch_pid[@]}"; do
		thaw "$name"
	done
	if [ "$(cat $HUGE/nr_hugepages)" = "$pages_set" ]; then
		echo "$pages_before" >$HUGE/nr_hugepages
	fi
	(exit $status)
	cleanup
}
trap finish EXIT

# Installs those of the Debian packages "$@" that are missing.
install_missing() {
	local package missing=()
	for package; do
		dpkg-query -W -f '${db:Status-Status}' $package 2>/dev/null |
			grep -qx installed || missing+=("$package")
	done
	[ ${#missing[@]} != 0 ] || return 0
	echo "installing: ${missing[*]}"
	export DEBIAN_FRONTEND=noninteractive
	{ apt-get -qq update; apt-get -qq install -y --no-install-recommends \
		"${missing[@]}"; } >"$T/apt.log" 2>&1 </dev/null || {
		tail -n 15 "$T/apt.log" >&2
		die "apt-get could not install ${missing[*]}"
	}
}

# Sees to it that $PAGES huge pages are free.
reserve_pages() {
	local free
	[ -d $HUGE ] || die "this kernel has no huge pages of 2 MiB"
	free=$(cat $HUGE/free_hugepages)
	[ "$free" -lt $PAGES ] || return 0
	pages_before=$(cat $HUGE/nr_hugepages)
	pages_set=$((pages_before + PAGES - free))
	echo $pages_set >$HUGE/nr_hugepages
	[ "$(cat $HUGE/free_hugepages)" -ge $PAGES ] ||
		die "there is not enough free memory for $PAGES huge pages"
}

# Takes option $1 of those that all runners have, from getopts.
pairs_option() {
	case $1 in
	n) n_pairs=$OPTARG ;;
	s) sizes=${OPTARG//,/ } ;;
	t) seconds=$OPTARG ;;
	*) exit 2 ;;
	esac
}

# Starts Open vSwitch, with the interfaces "$@" or with two vhost-user ports in
# $T/ovs.
start_ovs() {
	local holder
	mkdir "$T/ovs"
	start "$T/ovs.log" "$BENCH/ovs.sh" "$T/ovs" 0 "$@"
	holder=$pid
	eventually 20 ovs_ready_or_died "$holder" && [ -e "$T/ovs/ready" ] || {
		cat "$T/ovs.log" >&2
		die "Open vSwitch did not start"
	}
	switch_pid[ovs]=$(cat "$T/ovs/vswitchd.pid")
}

ovs_ready_or_died() {
	[ -e "$T/ovs/ready" ] || ! kill -0 "$1" 2>/dev/null
}

# A switch that is not being measured is stopped: all use the same core, and the
# forwarding threads of DPDK never sleep.
freeze() {
	kill -STOP "${switch_pid[$1]}" || die "$1 has died"
}

thaw() {
	[ -z "${switch_pid[$1]-}" ] || kill -CONT "${switch_pid[$1]}"
}

# Whether other programs leave the cpus alone; all switches are frozen.
quiet() {
	local before after
	before=$(cpu_times)
	sleep 0.3
	after=$(cpu_times)
	awk "BEGIN { split(\"$before $after\", t)
		exit !((t[3] - t[1]) * 100 <= (t[4] - t[2]) * $DISTURBED) }"
}

# Prints the time that all cpus were used, and all time.
cpu_times() {
	awk '/^cpu / { for (i = 2; i <= 9; i++) all += $i
		print all - $5 - $6, all }' /proc/stat
}

core_to_core() {
	"$T/c2c" 0 1
}

# Takes one sample of switch $1 with frames of $2 bytes; sets $before, $after,
# $mpps, $lost, $waited and $cost.  The switch is given time to see its load go.
sample() {
	local status
	eventually $PATIENCE quiet
	before=$(core_to_core) || exit 1
	thaw "$1"
	load "$1" "$2" >"$T/sample" 2>"$T/load.log" &
	loader=$!
	wait $loader
	status=$?
	loader=
	[ $status = 0 ] || {
		cat "$T/load.log" >&2
		die "$1 could not be measured with frames of $2 bytes"
	}
	sleep 0.3
	freeze "$1"
	after=$(core_to_core) || exit 1
	read -r mpps lost waited cost <"$T/sample"
}

# Prints the state in which all the round trips "$2".. were taken, between which
# $1 per cent of a cpu were missing.
state_of() {
	local ns near=0
	[ "$1" -lt $DISTURBED ] || {
		echo busy
		return
	}
	shift
	for ns; do
		[ "$ns" -ge $NEAR_NS ] || near=$((near + 1))
	done
	case $near in
	"$#") echo near ;;
	0) echo far ;;
	*) echo mixed ;;
	esac
}

# Takes pair $1, with frames of $2 bytes, of the switches $3 and $4: writes two
# lines to $raw and one to the reader.  Fails when the pair does not count.
pair() {
	local who state times=() line=() before after mpps lost waited cost
	local order="$3 $4" missing=0
	[ $(($1 % 2)) = 1 ] || order="$4 $3"
	for who in $order; do
		sample "$who" "$2"
		times+=("$before" "$after")
		line+=("$who $mpps $unit (c2c $before, $after ns)")
		printf '%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n' "$2" \
			"$3/$4" "$1" "$who" "$before" "$after" "$mpps" \
			"$lost" "$waited" "${cost:-0}" >>"$T/pair"
		[ "${waited%.*}" -le "$missing" ] || missing=${waited%.*}
	done
	state=$(state_of "$missing" "${times[@]}")
	sed "s/\$/\t$state/" "$T/pair" >>"$raw"
	rm "$T/pair"
	echo "$sized $2, pair $1: ${line[0]}, ${line[1]}: $state"
	[ "$state" = near ] || [ "$state" = far ]
}

# Takes pairs of the switches $2 and $3 with frames of $1 bytes until enough of
# them count.
measure() {
	local i counted=0
	for ((i = 1; i <= 3 * n_pairs && counted < n_pairs; i++)); do
		! pair $i "$@" || counted=$((counted + 1))
	done
}

# Gets ready to measure; says, to the reader and in $raw, on which machine, and
# that "$*".
begin_pairs() {
	require cc setpriv lscpu
	cc -std=gnu11 -O2 -D_GNU_SOURCE -o "$T/c2c" "$BENCH/c2c.c" -lpthread ||
		exit 1
	core_to_core >/dev/null || exit 1
	mkdir -p "$BUILD/bench"
	raw=$BUILD/bench/$(basename "$0")-$(date +%Y%m%dT%H%M%S).tsv
	describe "$*" | tee "$raw"
	printf '%s\t' "${columns[@]}" >>"$raw"
	echo state >>"$raw"
	reserve_pages
}

describe() {
	echo "# machine: $(lscpu | sed -n 's/^Model name: *//p' | head -n 1)," \
		"$(nproc) cpus"
	echo "# kernel: $(uname -r)"
	echo "# commit: $(git -C "$ROOT" describe --always --dirty \
		2>/dev/null || echo unknown)"
	! command -v ovs-vsctl >/dev/null ||
		echo "# Open vSwitch: $(ovs-vsctl -V | sed -n '1s/.* //p')"
	echo "# $*"
}

# For awk: the median of a[1..n], which it sorts; "-" if there is none.
MEDIAN='
	function sort(a, n,    i, j, x) {
		for (i = 2; i <= n; i++) {
			x = a[i]
			for (j = i - 1; j > 0 && a[j] > x; j--)
				a[j + 1] = a[j]
			a[j + 1] = x
		}
	}
	function median(a, n) {
		if (!n)
			return "-"
		sort(a, n)
		return n % 2 ? a[(n + 1) / 2] : (a[n / 2] + a[n / 2 + 1]) / 2
	}
'

# Prints the medians of the pairs in $raw, by switches, frame size and state;
# those of column $1, whose unit is $2, instead of $mpps.
table() {
	echo
	awk -F '\t' -v column="${1-7}" -v unit="${2-$unit}" -v sized="$sized" \
		"$MEDIAN"'
	function row(set, state,    k, n, p, who, a, b, r, mid) {
		split(versus[set], who, "/")
		for (p = 1; p <= last[set]; p++) {
			k = set SUBSEP p
			if (states[k] != state)
				continue
			a[++n] = value[k, who[1]]
			b[n] = value[k, who[2]]
			r[n] = b[n] ? a[n] / b[n] : 0
		}
		if (!n)
			return
		mid = median(r, n)
		printf "%-14s %5d  %-5s %5d %9.3f %9.3f %7.2f  %.2f..%.2f\n",
			versus[set], size[set], state, n, median(a, n),
			median(b, n), mid, r[1], r[n]
	}
	function remarks(set,    who) {
		split(versus[set], who, "/")
		printf "%-14s %5d  pairs discarded: %d; lost by %s: " \
			"%d, by %s: %d\n", versus[set], size[set],
			discarded[set] / 2, who[1], lost[set, who[1]], who[2],
			lost[set, who[2]]
	}
	/^#/ || /^size/ { next }
	{
		set = $2 SUBSEP $1
		if (!(set in last))
			order[++n_sets] = set
		versus[set] = $2
		size[set] = $1
		last[set] = $3
		states[set, $3] = $11
		value[set, $3, $4] = $column
		lost[set, $4] += $8
		discarded[set] += $11 != "near" && $11 != "far"
	}
	END {
		printf "%-12s %7s  state pairs  A %-7s B %-8s   A/B  range\n",
			"A/B", sized, unit, unit
		for (i = 1; i <= n_sets; i++) {
			row(order[i], "near")
			row(order[i], "far")
		}
		for (i = 1; i <= n_sets && column == 7; i++)
			remarks(order[i])
	}' "$raw"
	[ $# != 0 ] || echo "samples: $raw"
}

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
# both, and if other programs took less than 10 % of a cpu.  The cores may also
# part and meet again within a sample, so guests give the rate of their fastest
# quarter of a second.  Ratios are taken within pairs, and medians over the
# pairs of one state; they and everything else that tables and plots show are
# made by `report` from the samples alone.
#
# Samples are one line each of a TSV with these columns; lines with "#" before
# them say what was measured, and of which commit.
#
#	size		bytes of a frame without checksum, or what $sized says
#	subject		what was measured: a switch, or one thing of it
#	versus		the contest, as A/B; "-" if the samples of a round are of
#			different things, which may be compared or not
#	round		number of the pair, or of the round
#	c2c_before, c2c_after
#			ns of the round trip, "-" where one core does it all
#	waited		per cent of a cpu that others took
#	lost		frames
#	state		near, far, alone (one core); mixed and busy do not count
#
# and behind them the values, whose columns are named after their units; of one
# whose name begins with a dot there is nothing in tables.  The
# directory of results has such a file for each run, $BENCH_NAME.tsv or named
# after the runner, and machine.tsv about machine, versions and commit.  It is
# $BENCH_RESULTS, or one of its own in build/bench for every run.
#
# A runner starts its switches, enters the process of each in switch_pid[NAME]
# and freezes it, and defines "load NAME SIZE", which becomes (exec) a program
# that loads this switch with frames of SIZE bytes and prints a value (such as
# how many millions arrived a second), how many frames were lost, the per cent
# of a cpu that others took, and any further values.  A runner whose values are
# others than millions of frames a second names their units in $values.
#
#	. "$BENCH/pairs.sh"
#	begin_pairs "what runs where"
#	start_.. NAME; freeze NAME
#	measure 64 swd ovs
#	table
#
# Where samples do not come in pairs: begin_pairs, and then, for each, sample,
# state_of and record.

. "$BENCH/../tests/net/hugepages.sh"

NEAR_NS=160
DISTURBED=${DISTURBED:-10} # per cent of a cpu that other programs take
PATIENCE=${PATIENCE:-20} # seconds to wait for them to end before a sample
DEADLINE=${BENCH_DEADLINE:-0} # in seconds since 1970, or 0: no pair after it
PAGES=1024   # of 2 MiB: what ovs-vswitchd takes, and DPDK's programs
n_pairs=5 sizes="64 1500" seconds=2
sized=frame values=(Mpps)
columns=(size subject versus round c2c_before c2c_after waited lost state)
declare -A switch_pid=()
loader='' raw='' results=''

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
	pages_give_back
	(exit $status)
	cleanup
}
trap finish EXIT

# Installs those of the Debian packages "$@" that are missing.
install_missing() {
	local package missing=()
	for package; do
		dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null |
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

# Takes option $1 of those that all runners have, from getopts.
pairs_option() {
	case $1 in
	n) n_pairs=$OPTARG ;;
	s) sizes=${OPTARG//,/ } ;;
	t) seconds=$OPTARG ;;
	*) exit 2 ;;
	esac
}

# Starts Open vSwitch, with the interfaces "$@" or with $n_sockets vhost-user
# ports (2), of MTU $mtu, in $T/ovs.
start_ovs() {
	local holder
	mkdir "$T/ovs"
	start "$T/ovs.log" env OVS_SOCKETS="${n_sockets-}" OVS_MTU="${mtu-}" \
		"$BENCH/ovs.sh" "$T/ovs" 0 "$@"
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

# Loads switch $1 with frames of $2 bytes.  Guests that connect on a busy machine
# may fail to.
run_load() {
	local status
	load "$1" "$2" >"$T/sample" 2>"$T/load.log" &
	loader=$!
	wait $loader
	status=$?
	loader=
	[ $status = 0 ] || cat "$T/load.log" >&2
	return $status
}

# Takes one sample of switch $1 with frames of $2 bytes; sets $before, $after,
# $waited, $lost and value[].  The switch is given time to see its load go.
sample() {
	local line
	eventually "$PATIENCE" quiet
	before=$(core_to_core) || exit 1
	thaw "$1"
	run_load "$@" || {
		echo "$1 could not be measured; once more"
		run_load "$@"
	} || die "$1 could not be measured with frames of $2 bytes"
	sleep 0.3
	freeze "$1"
	after=$(core_to_core) || exit 1
	read -r -a line <"$T/sample"
	lost=${line[1]} waited=${line[2]}
	value=("${line[0]}" "${line[@]:3}")
}

# Prints the state in which all the round trips "$2".. were taken, between which
# $1 per cent of a cpu were missing.
state_of() {
	local ns near=0
	[ "${1%.*}" -lt $DISTURBED ] || {
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

counts() {
	[ "$1" = near ] || [ "$1" = far ] || [ "$1" = alone ]
}

# Writes a sample to $raw: size $1 of subject $2 in contest $3 and round $4, and
# what sample() sets.
record() {
	local line
	printf -v line '%s\t' "$@" "$before" "$after" "$waited" "$lost" \
		"$state" "${value[@]}"
	echo "${line%?}" >>"$raw"
}

# Takes pair $1, with frames of $2 bytes, of the switches $3 and $4: writes two
# lines to $raw and one to the reader.  Fails when the pair does not count.
pair() {
	local who state all times=() said=() before after waited lost value
	local order="$3 $4" missing=0
	local -A taken=()
	[ $(($1 % 2)) = 1 ] || order="$4 $3"
	for who in $order; do
		sample "$who" "$2"
		times+=("$before" "$after")
		said+=("$who ${value[0]} ${values[0]} (c2c $before, $after ns)")
		taken[$who]="$before $after $waited $lost ${value[*]}"
		[ "${waited%.*}" -le "$missing" ] || missing=${waited%.*}
	done
	state=$(state_of "$missing" "${times[@]}")
	for who in $order; do
		read -r before after waited lost all <<<"${taken[$who]}"
		read -r -a value <<<"$all"
		record "$2" "$who" "$3/$4" "$1"
	done
	echo "$sized $2, pair $1: ${said[0]}, ${said[1]}: $state"
	counts "$state"
}

# Takes pairs of the switches $2 and $3 with frames of $1 bytes until enough of
# them count.
measure() {
	local i counted=0
	for ((i = 1; i <= 3 * n_pairs && counted < n_pairs; i++)); do
		[ $i = 1 ] || in_time || break
		! pair $i "$@" || counted=$((counted + 1))
	done
}

in_time() {
	[ "$DEADLINE" = 0 ] || [ "$EPOCHSECONDS" -lt "$DEADLINE" ]
}

# Gets ready to measure; says, to the reader and in $raw, on which machine, and
# that "$*".
begin_pairs() {
	require cc setpriv lscpu
	cc -std=gnu11 -O2 -D_GNU_SOURCE -o "$T/c2c" "$BENCH/c2c.c" -lpthread ||
		exit 1
	core_to_core >/dev/null || exit 1
	begin_results
	begin_file "${BENCH_NAME:-$(basename "$0")}" "$*"
	pages_reserve $PAGES || die "$pages_missing"
}

# Makes the directory of results, or adds to one that is there.
begin_results() {
	results=${BENCH_RESULTS:-$BUILD/bench/results-$(date +%Y%m%dT%H%M%S)}
	mkdir -p "$results" || exit 1
	[ ! -e "$results/machine.tsv" ] || return 0
	describe >"$results/machine.tsv"
	sed 's/\t/: /' "$results/machine.tsv"
}

# Has record() write to file $1, which says that "$2" was measured.
begin_file() {
	local line
	raw=$results/$1.tsv
	echo "$2"
	printf -v line '%s\t' "${columns[@]}" "${values[@]}"
	printf '# %s\n# commit %s\n%s\n' "$2" "$(commit)" "${line%?}" >"$raw"
}

# Prints what samples depend on, a name and a value a line.
describe() {
	local governor=/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor
	fact date "$(date -u +%Y-%m-%dT%H:%M:%SZ)"
	fact commit "$(commit)"
	fact cpu "$(lscpu | sed -n 's/^Model name: *//p' | head -n 1)"
	fact cpus "$(nproc)"
	fact hypervisor "$(lscpu | sed -n 's/^Hypervisor vendor: *//p')"
	fact governor "$(cat $governor 2>/dev/null)"
	fact memory "$(awk '/^MemTotal/ { print $2, $3 }' /proc/meminfo)"
	fact kernel "$(uname -r)"
	fact compiler "$(cc --version | head -n 1)"
	fact openvswitch "$(package_version openvswitch-switch-dpdk)"
	fact dpdk "$(package_version dpdk)"
	fact iperf3 "$(package_version iperf3)"
}

commit() {
	git -C "$ROOT" describe --always --dirty 2>/dev/null || echo unknown
}

fact() {
	printf '%s\t%s\n' "$1" "${2:--}"
}

package_version() {
	dpkg-query -W -f '${Version}' "$1" 2>/dev/null
}

# Prints what the samples of this run come to.
table() {
	echo
	"$BENCH/report" "$raw"
	echo "samples: $raw"
}

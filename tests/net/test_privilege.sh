#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# test_privilege.sh - what swd may do once it runs, and that it is enough
#
# The kernel says what each thread has (/proc/PID/task/TID/status).  A card, a
# tap that goes into a container, a worker and another configuration come after
# that; the first three also to a switch that runs as nobody and got its three
# capabilities from the service manager, and guests to one that got none.  Every
# system call that is not on the list would be the end of swd (SWD_STRICT).

. "${0%/*}/lib.sh"
. "${0%/*}/netns.sh"
require jq ip ping setpriv unshare systemd-analyze capsh

export SWD_STRICT=1
nobody=(setpriv --reuid 65534 --regid 65534 --clear-groups)

# Prints field $2 of thread $1.
status_of() {
	sed -n "s/^$2:[[:space:]]*//p" "/proc/$swd_pid/task/$1/status"
}

# Prints the capabilities of mask $1, sorted.
names_of() {
	capsh --decode="$1" | sed 's/.*=//' | tr , '\n' | sort | paste -sd' '
}

is() { # WHAT VALUE WANTED
	echo "$1: $2, and not $3"
	[ "$2" = "$3" ]
}

# Whether the main thread has the capabilities $1 in reserve and nothing at
# hand, other threads nothing at all, and all are confined.
confined() {
	local tid n=0
	is "permitted" "$(names_of "$(status_of "$swd_pid" CapPrm)")" "$1" ||
		return
	for tid in $(ls "/proc/$swd_pid/task"); do
		n=$((n + 1))
		is "$tid: effective" "$(status_of "$tid" CapEff)" \
			0000000000000000 &&
			is "$tid: inheritable" "$(status_of "$tid" CapInh)" \
				0000000000000000 &&
			is "$tid: ambient" "$(status_of "$tid" CapAmb)" \
				0000000000000000 &&
			is "$tid: filtered" "$(status_of "$tid" Seccomp)" 2 &&
			is "$tid: no_new_privs" "$(status_of "$tid" \
				NoNewPrivs)" 1 || return
		[ "$tid" = "$swd_pid" ] ||
			is "$tid: permitted" "$(status_of "$tid" CapPrm)" \
				0000000000000000 || return
		# Of the process, and on top of it, of a worker.
		is "$tid: filters" "$(status_of "$tid" Seccomp_filters)" \
			$((1 + ${filters_outside:-0} + \
				(tid != swd_pid))) || return
	done
	[ "$n" -ge "${2-2}" ]
}

# What the test itself was started with is not counted.
filters_outside=$(sed -n 's/^Seccomp_filters:[[:space:]]*//p' \
	/proc/self/status)

five='cap_bpf cap_chown cap_ipc_lock cap_net_admin cap_net_raw'
three='cap_bpf cap_net_admin cap_net_raw'

# What may come to a switch at any time: a card (pa, with host a behind it) and
# a tap that is given to container b.
later() {
	check "$1: a card comes" swctl port add pa type xdp
	check "$1: and a tap" swctl port add tb type tap
	in_ns s ip link set tb netns "${ns_pid[b]}"
	in_ns b sh -c 'ip addr add 10.9.0.2/24 dev tb && ip link set tb up'
	in_ns a ip neigh flush all # the tap before had another address
	check "$1: they carry" reaches a 2
	check "$1: a worker comes" swctl worker add 0
	check "$1: is confined" confined "$2" 3
	check "$1: still carries" reaches a 2
}

lan_make 1 1500 a
ns_make b
swd_in_ns s
chmod 711 "$T"

check "root: swd starts" start_swd
check "root: is confined" confined "$five"
is_bound() {
	is bounds "$(names_of "$(status_of "$swd_pid" CapBnd)")" "$five"
}
check "root: nor could it become more" is_bound
later root "$five"

cat >"$T/conf" <<'END'
worker add 0
port add pa type xdp
port add vm1 type vhost-user
port add p1 type pipe
END
check "root: another configuration comes" swctl config apply "$T/conf"
check "root: the card stays" eval \
	'swctl -j port show pa | jq -e ".[0].state == \"up\""'
check "root: the tap is gone" eval '! in_ns b ip link show tb'
check "root: swd ends with status 0" stop_swd

# --- as a service: a user of its own, three capabilities

mkdir -m 700 "$T/service"
chown 65534:65534 "$T/service"
swctl() {
	"$SWCTL" -S "$T/service/swd.sock" "$@"
}
caps=+net_admin,+net_raw,+bpf
swd_in_ns s prlimit --memlock=4194304:4194304 "${nobody[@]}" \
	--inh-caps "$caps" --ambient-caps "$caps" --bounding-set "-all,$caps"
check "service: swd starts" start_swd -r "$T/service" -m 2M
check "service: is confined" confined "$three"
later service "$three"
mode_of() {
	stat -c '%a %u' "$T/service/$1"
}
check "service: the control socket is its user's" is mode \
	"$(mode_of swd.sock)" '600 65534'
swctl port add vm1 type vhost-user
swctl port add p1 type pipe mode 0640
check "service: a guest's is for a group" is mode \
	"$(mode_of vhost/vm1)" '660 65534'
check "service: an application's as it was said" is mode \
	"$(mode_of pipe/p1)" '640 65534'
check "service: its directories are not for others to write" is mode \
	"$(mode_of vhost) $(mode_of pipe)" '755 65534 755 65534'
check "service: swd ends with status 0" stop_swd

# --- as anybody, with nothing

swd_in=("${nobody[@]}" --inh-caps=-all --bounding-set=-all)
check "nobody: swd starts" start_swd -r "$T/service"
check "nobody: is confined" confined ''
check "nobody: a guest can come" swctl port add vm1 type vhost-user
check "nobody: an application, too" swctl port add p1 type pipe
check "nobody: a worker comes" swctl worker add 0
check "nobody: is confined with it" confined '' 3
refused() {
	swctl port add "$1" type "$1" >"$T/out" 2>&1
	[ $? = 1 ] && cat "$T/out" && grep -q "$2" "$T/out"
}
check "nobody: a tap is refused" refused tap CAP_NET_ADMIN
check "nobody: swd ends with status 0" stop_swd

# --- the unit

sed "s:@bindir@:/usr/bin:" "$ROOT/switch/package/swd.service.in" \
	>"$T/swd.service"
exposure() {
	systemd-analyze security --offline=true --no-pager --threshold=30 \
		"$T/swd.service" >"$T/security" 2>&1
	local status=$?
	tail -n 1 "$T/security"
	return $status
}
check "the unit: exposure is 3.0 at most" exposure
check "the unit: the host's cards and its taps are in sight" eval \
	'! grep -E "^Private(Network|Devices)=(yes|true|on|1)" "$T/swd.service"'

# The system calls that the unit leaves, one a line.
allowed_by_unit() {
	local line set call
	sed -n 's/^SystemCallFilter=//p' "$T/swd.service" | while read -r line; do
		set=${line#\~}
		for call in $set; do
			case $call in
			@*) calls_of "$call" ;;
			*) echo "$call" ;;
			esac | if [ "$line" = "$set" ]; then
				sed 's/^/+/'
			else
				sed 's/^/-/'
			fi
		done
	done | awk '{ has[substr($0, 2)] = substr($0, 1, 1) }
		END { for (c in has) if (has[c] == "+") print c }'
}
calls_of() {
	systemd-analyze syscall-filter "$1" | sed -n 's/^ \+\([@a-z].*\)/\1/p' |
		while read -r call; do
			case $call in
			@*) calls_of "$call" ;;
			*) echo "$call" ;;
			esac
		done
}
# Those of ours, of which some exist only on other machines.
within_unit() {
	local missing
	missing=$(comm -23 <(sed -n '/intruders\[\]/,/^}/d; /#define/d
		s/^ *CALL(\([a-z0-9_]*\)).*/\1/p
		s/.*SCMP_SYS(\([a-z0-9_]*\)).*/\1/p' \
		"$ROOT/switch/sandbox.c" | sort -u) \
		<(allowed_by_unit | sort -u))
	echo "not in the unit:" $missing
	[ -z "$missing" ] && [ "$(allowed_by_unit | wc -l)" -gt 100 ]
}
check "the unit: leaves the calls that swd lists" within_unit
verdict

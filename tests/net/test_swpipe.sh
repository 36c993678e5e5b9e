#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# test_swpipe.sh - the client library and its programs, against real servers
#
#	test_swpipe.sh [dpdk] [swd] [install]
#
# Two pipes, a and b, whose servers are DPDK's (testpmd, which passes frames from
# one to the other) or swd's (two pipe ports of a bridge).  Neither huge pages
# nor privileges are needed.  Frames are numbered: one that is lost is noticed.
# "install" builds the manual page's example from what make install leaves.

. "${0%/*}/lib.sh"
require jq setpriv tcpdump pkg-config
GEN=${GEN:-$BUILD/swpipe-gen}
DUMP=${DUMP:-$BUILD/swpipe-dump}
cpus=$(sed -n 's/^Cpus_allowed_list:[[:space:]]*//p' /proc/self/status)
server='' kind='' queues=1 extra=''

# --- servers: each sets $a and $b, sockets, and $server, a process

# testpmd with $1 queues and options "$2".. of both devices.
serve_dpdk() {
	local queues=$1 extra=${2:+,$2}
	local device=role=server,socket-abstract=no,id=7$extra
	a=$T/a.sock b=$T/b.sock id=7
	rm -f "$a" "$b" "$T/dpdk.log"
	start "$T/dpdk.log" env RUNTIME_DIRECTORY="$T" dpdk-testpmd \
		--lcores "(0,1)@($cpus)" --main-lcore 0 --no-pci --no-huge \
		--no-shconf --file-prefix "swpipe$$" -m 256 \
		--vdev "net_memif0,$device,socket=$a" \
		--vdev "net_memif1,$device,socket=$b" \
		-- --nb-cores=1 --port-topology=paired --forward-mode=io \
		--no-flush-rx \
		--stats-period=60 --rxq="$queues" --txq="$queues" \
		--total-num-mbufs=16384
	server=$pid
	eventually 20 grep -qs "packet forwarding" "$T/dpdk.log"
}

serve_swd() {
	local queues=$1 extra=${2/=/ }
	a=$T/pipe/a b=$T/pipe/b id=7
	start_swd || return
	server=$swd_pid
	# shellcheck disable=SC2086 # words
	swctl port add a type pipe id 7 queues "$queues" mtu 9000 $extra &&
		swctl port add b type pipe id 7 queues "$queues" mtu 9000 $extra
}

end_server() {
	stop "$server" "${1-TERM}" || true
}

# Checks $1 of server $kind.  DPDK's may crash when a client leaves, because its
# forwarding thread is not asked before memory is unmapped: each check has one of
# its own, and programs do not have to end well when another one left before.
verify() {
	local what=$1
	shift
	if [ "$kind" = dpdk ]; then
		end_server
		serve_dpdk "$queues" "$extra" || die "no server"
	fi
	check "$kind: $what" "$@"
}

went_well() {
	[ "$1" = 0 ] || [ "$kind" = dpdk ]
}

# --- programs

# Rings that hold what is sent while somebody else has the cpus.
gen() {
	timeout 30 "$GEN" -Q -w 10 -n 8192 -i "$id" "$@"
}

# Value of key $1 in the summary in file ${2-$T/summary}.
value() {
	sed -n "s/^summary.* $1=\([0-9.]*\).*/\1/p" "${2-$T/summary}"
}

# Whether all of many frames that "$@" sends, at a moderate pace, arrive.
all_arrive() {
	gen -t 1 "$@" >"$T/summary" || return
	cat "$T/summary"
	[ "$(value sent)" -gt 100 ] &&
		[ "$(value sent)" = "$(value received)" ] &&
		[ "$(value lost) $(value late) $(value foreign)" = "0 0 0" ]
}

# Whether frames get through when there is no pace but what is possible.
many_arrive() {
	gen -t 1 "$@" >"$T/summary" || return
	cat "$T/summary"
	[ "$(value received)" -gt 10000 ] && [ "$(value foreign)" = 0 ]
}

# Starts program "$2".. in the background with its output in $T/$1; sets $pid.
background() {
	local name=$1
	shift
	rm -f "$T/$name"
	start "$T/$name" "$@"
}

# Whether all frames come back from an echo in another process.
echoed() {
	local echo_pid status
	background echo "$GEN" -Q -w 10 -i "$id" -n 8192 -m echo "$b"
	echo_pid=$pid
	sleep 0.5
	all_arrive -r 5k "$@" "$a"
	status=$?
	stop "$echo_pid" INT
	went_well $? || status=1
	cat "$T/echo"
	return $status
}

# CPU time of process $1 in ticks.
ticks() {
	awk '{ print $14 + $15 }' "/proc/$1/stat"
}

# Whether a receiver sleeps while there is nothing, and wakes up for frames.
sleeps() {
	local before used status=0
	background receiver "$GEN" -Q -w 10 -i "$id" -n 8192 \
		-m receive -A 2 "$b"
	receiver=$pid
	sleep 1
	before=$(ticks "$receiver")
	sleep 1
	used=$(($(ticks "$receiver") - before))
	echo "idle: $used ticks in a second"
	gen -m send -r 1k -t 1 -A 1 -D 2 "$a" >"$T/summary" || status=1
	sleep 0.3
	stop "$receiver" INT
	went_well $? || status=1
	cat "$T/summary" "$T/receiver"
	[ $used -le 5 ] && [ $status = 0 ] &&
		[ "$(value sent)" -gt 500 ] &&
		[ "$(value received "$T/receiver")" = "$(value sent)" ]
}

# --- capture

# Captures with options "$2".. at b, into $T/capture, while frames of $1 bytes
# are sent at a.
capture() {
	local size=$1 dump sender status
	shift
	background dump.log "$DUMP" -w 10 -i "$id" -o "$T/capture" "$@" "$b"
	dump=$pid
	background sender "$GEN" -Q -w 10 -i "$id" -m send -r 2k -s "$size" \
		-f 3 "$a"
	sender=$pid
	sleep 1.5
	stop "$dump" INT
	status=$?
	stop "$sender" INT
	cat "$T/dump.log" "$T/sender"
	return $status
}

# Prints a line for each frame that tcpdump finds in the capture.
shown() {
	tcpdump -nner "$T/capture" "$@" 2>"$T/tcpdump.log" |
		grep 'ethertype Unknown (0x88b5)'
}

counted() {
	capture 64 -c 100 && [ "$(shown | wc -l)" = 100 ] &&
		[ "$(shown | grep -c 'length 64')" = 100 ] &&
		[ "$(shown ether proto 0x88b5 | wc -l)" = 100 ]
}

long_ones() {
	capture 3000 -s 100 && grep -q 'length 3000' <(shown) &&
		[ "$(stat -c %s "$T/capture")" -lt \
			$(($(shown | wc -l) * 200 + 1000)) ]
}

# Time stamps are of today, do not go back, and have nanoseconds.
times_hold() {
	tcpdump --time-stamp-precision=nano -ttner "$T/capture" \
		2>/dev/null | grep 0x88b5 >"$T/times"
	awk -v now="$(date +%s)" '
		$1 < last || $1 < now - 600 || $1 > now + 1 { bad = 1 }
		{ last = $1; if ($1 !~ /000$/) fine = 1 }
		END { exit bad || !fine || NR < 100 }' "$T/times"
}

piped() {
	local sender
	background sender "$GEN" -Q -w 10 -i "$id" -m send -r 2k "$a"
	sender=$pid
	timeout 10 "$DUMP" -w 10 -i "$id" -c 50 "$b" 2>"$T/dump.log" |
		tcpdump -nner - 2>/dev/null >"$T/shown"
	stop "$sender" INT
	cat "$T/dump.log" "$T/sender"
	[ "$(grep -c 0x88b5 "$T/shown")" = 50 ]
}

# --- refusals and ends

# Whether "$2".. fails with status 1 and a sentence that holds $1.
refused() {
	local sentence=$1 status
	shift
	timeout 20 "$@" >"$T/refused" 2>&1
	status=$?
	cat "$T/refused"
	[ $status = 1 ] && grep -q "$sentence" "$T/refused"
}

# A client is killed in the middle of everything; the next one is welcome.
successor() {
	local victim
	background victim "$GEN" -w 10 -i "$id" "$a" "$b"
	victim=$pid
	eventually 10 grep -q sent "$T/victim" || return
	stop "$victim" KILL
	server_lives || "serve_$kind" 1
	all_arrive -r 5k "$a" "$b"
}

# Whether the server outlived a client of its.  DPDK's interrupt thread unmaps
# the client's memory when it leaves, while the forwarding thread may be about to
# read it: whether that ends in a crash shows a little later.
server_lives() {
	[ "$kind" != dpdk ] || sleep 0.5
	running "$server"
}

# A client that is stopped gets nothing for a while, and then goes on.
stopped() {
	local receiver before
	background receiver "$GEN" -Q -w 10 -i "$id" -m receive -A 2 "$b"
	receiver=$pid
	sleep 0.5
	gen -m send -r 10k -t 3 -A 1 -D 2 "$a" >"$T/summary" &
	sleep 0.5
	kill -STOP "$receiver"
	sleep 0.5
	kill -CONT "$receiver"
	wait $!
	sleep 0.3
	stop "$receiver" INT
	went_well $? || return
	cat "$T/summary"
	tail -n 1 "$T/receiver"
	[ "$(value late "$T/receiver")" = 0 ] &&
		[ "$(value foreign "$T/receiver")" = 0 ] &&
		[ "$(value received "$T/receiver")" -gt \
			$(($(value sent) / 3)) ]
}

server_dies() {
	local client status
	background client "$GEN" -i "$id" -w 10 "$a" "$b"
	client=$pid
	eventually 10 grep -q sent "$T/client" || return
	end_server KILL
	eventually 3 gone "$client" || return
	wait "$client"
	status=$?
	cat "$T/client"
	[ $status = 1 ] && grep -q "the server is gone" "$T/client"
}
gone() {
	! running "$1"
}

# --- the lot, with server $1

against() {
	kind=$1
	check "$kind: serves" "serve_$kind" $queues
	verify "64 bytes" all_arrive -r 5k "$a" "$b"
	verify "60 bytes" all_arrive -r 5k -s 60 "$a" "$b"
	verify "1500 bytes" all_arrive -r 5k -s 1500 "$a" "$b"
	verify "9000 bytes, in parts" all_arrive -r 1k -s 9000 "$a" "$b"
	verify "9000 bytes in one" \
		all_arrive -r 1k -s 9000 -B 9216 -n 1024 "$a" "$b"
	verify "100 pairs of addresses" all_arrive -r 5k -f 100 "$a" "$b"
	verify "a small ring" all_arrive -t 2 -r 30 -n 64 -b 8 "$a" "$b"
	verify "as many as possible" many_arrive "$a" "$b"
	verify "echo" echoed
	verify "echo of 9000 bytes" echoed -r 1k -s 9000
	verify "a receiver sleeps, and wakes up" sleeps
	verify "a hundred frames are captured" counted
	check "$kind: their times hold" times_hold
	verify "of long ones, their beginnings" long_ones
	verify "a capture goes through a pipe" piped
	verify "a stopped client goes on" stopped
	[ "$kind" != swd ] ||
		check "$kind: every frame is accounted for" conserved br0
	verify "an unknown id is refused" refused "hung up" "$GEN" -i 99 "$a"
	verify "a killed client has a successor" successor
	verify "a server that dies ends its clients" server_dies
	queues=2 extra=secret=psst
	check "$kind: serves two queues, with a secret" \
		"serve_$kind" $queues $extra
	verify "two queues" all_arrive -r 2k -q 2 -S psst "$a" "$b"
	verify "no secret, no pipe" refused "hung up" "$GEN" -i "$id" "$a"
	verify "a wrong one, neither" refused "hung up" \
		"$GEN" -i "$id" -S hush "$a"
	end_server
	queues=1 extra=''
}

# --- what is installed

# Builds the example of the manual page in $T.
example() {
	local prefix=$T/usr
	make -C "$ROOT" BUILD="$(realpath "$BUILD")" DESTDIR="$T" PREFIX=/usr \
		install >"$T/install.log" 2>&1 || return
	{
		printf '#include <%s>\n' err.h string.h swpipe.h
		echo 'static void reflect(struct swpipe_buf *to,
			const struct swpipe_buf *from) {
			memcpy(to->data, from->data, from->len);
			to->len = from->len; to->more = from->more; }'
		echo 'int main(void) {'
		mandoc "$prefix/share/man/man3/swpipe.3" |
			sed 's/.\x08//g' | sed -n '/struct swpipe_options o =/,/swpipe_close/p'
		echo 'return 0; }'
	} >"$T/example.c"
	PKG_CONFIG_SYSROOT_DIR=$T PKG_CONFIG_PATH=$prefix/lib/pkgconfig \
		pkg-config --cflags --libs swpipe >"$T/flags" || return
	# shellcheck disable=SC2046 # words
	cc -Wall -Wextra -o "$T/example" "$T/example.c" $(cat "$T/flags") &&
		readelf -d "$T/example" | grep libswpipe.so.1
}

example_runs() {
	LD_LIBRARY_PATH=$T/usr/lib refused "nobody answers" "$T/example"
}

plain_c_and_cxx() {
	local std
	for std in c99 c11; do
		echo '#include <swpipe.h>' | cc -std=$std -pedantic -Wall -Werror \
			-I"$T/usr/include" -fsyntax-only -xc - || return
	done
	! command -v c++ >/dev/null || echo '#include <swpipe.h>' |
		c++ -pedantic -Wall -Werror -I"$T/usr/include" -fsyntax-only \
			-xc++ -
}

against_install() {
	check "the manual's example is built from what is installed" example
	check "and runs" example_runs
	check "the header is plain C, and C++" plain_c_and_cxx
}

[ $# != 0 ] || set -- dpdk swd install
for what; do
	case $what in
	dpdk) require dpdk-testpmd && against dpdk ;;
	swd) against swd ;;
	install) require mandoc && against_install ;;
	*) die "say dpdk, swd or install instead of $what" ;;
	esac
done
verdict

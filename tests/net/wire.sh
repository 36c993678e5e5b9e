# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
#
# wire.sh - what comes out of a wire, caught and judged
#
# Sourced after netns.sh.  A frame that was caught is a line of wire_catch.c's;
# whether frames are right is for tshark to say, and wire_check.awk counts.
#
#	wire_require wire_catch
#	catch_begin "$mac" x1 && something_sends && catch_end
#	are_right "$T/caught.x1" 1

# Ends the test unless tshark is there, and the tools "$@" of tests/net.
wire_require() {
	local tool
	require tshark text2pcap
	tools=$BUILD/tests/net
	for tool; do
		[ -x "$tools/$tool" ] || die "$tools/$tool is missing; run make lab"
	done
}

# Starts to catch, at e0 of namespaces "$2".., what address $1 sends.
catch_begin() {
	local mac=$1 ns
	shift
	catchers=()
	for ns; do
		rm -f "$T/caught.$ns"
		: >"$T/ready.$ns"
		start_in "$ns" "$T/ready.$ns" sh -c 'exec "$0" e0 "$1" >"$2"' \
			"$tools/wire_catch" "$mac" "$T/caught.$ns"
		catchers+=("$pid")
	done
	for ns; do
		eventually 5 grep -q ready "$T/ready.$ns" || return 1
	done
}

# Waits until all of it has come.
catch_end() {
	local p status=0
	for p in "${catchers[@]}"; do
		wait "$p" || status=1
	done
	return $status
}

# Prints what tshark sees in each frame that wire_catch has printed to file $1,
# in the order that wire_check.awk expects.  What the frames carry is nobody's
# protocol.
dissect() {
	local field fields=()
	for field in frame.number frame.len frame.protocols ip.checksum.status \
		tcp.checksum.status udp.checksum.status _ws.expert.severity \
		_ws.expert.message eth.padding eth.trailer ip.id tcp.stream \
		tcp.seq_raw tcp.len tcp.flags.syn tcp.flags.fin \
		tcp.flags.reset; do
		fields+=(-e "$field")
	done
	cut -d ' ' -f 7 "$1" | sed 's/../ &/g; s/^/000000/' |
		text2pcap -q - "$T/frames.pcap" &&
		tshark -n -r "$T/frames.pcap" -o ip.check_checksum:TRUE \
			-o tcp.check_checksum:TRUE -o udp.check_checksum:TRUE \
			-d tcp.port==4242-4243,data -d tcp.port==5300,data \
			-d udp.port==4242-4243,data -T fields "${fields[@]}"
}

# Whether the frames in file $1 are finished and right, each by itself, and if
# $2 is 1, one after the other.  Prints what is wrong.
are_right() {
	if grep -v '^0 0 ' "$1" | cut -c -200 | grep .; then
		echo "is not finished"
		return 1
	fi
	dissect "$1" 2>"$T/tshark.log" | awk -v wanted="$(wc -l <"$1")" \
		-v ordered="$2" -f "$ROOT/tests/net/wire_check.awk" || {
		cat "$T/tshark.log"
		return 1
	}
}

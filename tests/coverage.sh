#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# How many lines each fuzz target reaches of the files that it is about, with
# what `tests/run fuzz` has collected and SECONDS (default 0) of its own.
#
#	tests/run coverage [SECONDS [TARGET...]]
set -u
cd "$(dirname "$0")/.."
build=build/coverage seconds=${1:-0}
shift
[ $# -gt 0 ] || set -- split packed concurrent offload merge forward \
	vhost_message pipe swpipe xsk rpc grammar config

files_of() { # TARGET
	case $1 in
	split | concurrent) echo ports/vhost/split*.c \
		ports/vhost/{buffer,frame_in,virtq}.c \
		ports/vhost/{buffer,frame_in,frame_out}.h \
		ports/peer/{gather,plain}.h ;;
	packed) echo ports/vhost/packed*.c ports/vhost/packed.h ;;
	offload) echo switch/base/{offload,layers,segment,checksum}.c \
		switch/base/completion.c ;;
	merge) echo switch/base/merge.c ;;
	forward) echo switch/{forward,egress,vlan}.c switch/base/eth.h ;;
	vhost_message) echo ports/vhost/{message,connection,session}.c \
		ports/vhost/{features,handlers_*,memory,ring}.c \
		ports/peer/mapping.c ;;
	pipe) echo ports/pipe/ring*.[ch] ports/pipe/{region,session}.c \
		ports/pipe/{server,client,channel,message,listener}.c ;;
	swpipe) echo ports/pipe/client/swpipe_ring.c ;;
	xsk) echo ports/xdp/xsk_[rt]x.c ;;
	rpc) echo switch/control/rpc.c switch/control/method_*.c ;;
	grammar) echo cli/grammar_*.c ;;
	config) echo switch/control/config*.c cli/config_file.c ;;
	esac
}

make -j"$(nproc)" CC=clang BUILD=$build OPT='-O1 -g' SANITIZE='-fprofile-instr-generate
	-fcoverage-mapping -fsanitize=fuzzer-no-link' fuzzers >$build.log 2>&1 ||
	{ tail $build.log; exit 1; }
for name; do
	program=$build/tests/fuzz/fuzz_$name
	mkdir -p build/fuzz/corpus/fuzz_$name
	limit=-runs=0
	[ "$seconds" = 0 ] || limit=-max_total_time=$seconds
	LLVM_PROFILE_FILE=$program.profraw $program $limit -verbosity=0 \
		-artifact_prefix=$build/ \
		build/fuzz/corpus/fuzz_$name >$program.log 2>&1 ||
		{ tail $program.log; exit 1; }
	llvm-profdata merge -sparse $program.profraw -o $program.profdata
	echo "--- fuzz_$name"
	# shellcheck disable=SC2046
	llvm-cov report $program -instr-profile=$program.profdata \
		$(files_of $name) | awk '/^-|^Filename|^Files/ { next }
		NF > 9 { printf "%-36s %5d lines %5d missed %7s\n",
		    $1, $8, $9, $10 }'
done

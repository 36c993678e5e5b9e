#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Memory that a peer can write is reached through accessors only: see
# switch/base/shared.h.  To clang it is an address space of its own, so every
# load and store there, and every way out of it, shows in what it makes of a
# file before it optimizes: there has to be none.  In accessors the mark is taken
# off; nobody else may do that.
set -u
cd "$(dirname "$0")/.."
bad=0

# The lines of LLVM's code that get at marked memory.
reaches='
	/^define/ { where = $0; sub(/.*@/, "", where); sub(/\(.*/, "", where) }
	/ load .*, .*addrspace\(1\)\*? [%@ginb]/ ||
	/ store .*, [^,]*addrspace\(1\)\*? [%@ginb]/ ||
	/ (cmpxchg|atomicrmw) .*addrspace\(1\)\*? / ||
	/ call .*@llvm\.mem[a-z]+\.[^ (]*p1/ ||
	/ addrspacecast .*addrspace\(1\).* to [^(]*$/ {
		print name ": " where "():" $0; found = 1
	}
	END { exit found }'

reaches_in() { # NAME FILE-OR-ARGUMENTS...
	local name=$1 code; shift
	code=$(clang -std=gnu11 -D_GNU_SOURCE -I. "-I${BUILD:-build}" -O0 -S \
		-emit-llvm -o - "$@" 2>&1) || { echo "$name: $code"; return 2; }
	awk -v name="$name" "$reaches" <<<"$code"
}

while IFS= read -r line; do
	echo "not ok - followed without an accessor: $line"
	bad=1
done < <(
	export -f reaches_in
	export reaches
	printf '%s\n' ports/{vhost,peer,pipe,tap}/*.c ports/xdp/xsk_[rt]x.c \
		switch/base/*.c switch/{forward,egress,vlan}.c |
		xargs -P "$(nproc)" -I{} bash -c 'reaches_in {} {}'
)

only() { # FILES-REGEX PATTERN
	while IFS= read -r line; do
		echo "not ok - takes the mark off: $line"
		bad=1
	done < <(git ls-files -co --exclude-standard -- switch learning ports \
			':!ports/pipe/client' | grep -E '\.[ch]$' |
		xargs grep -nE "$2" | grep -v '__peer \*)' | grep -vE "^($1):")
}

# Accessors, what sums memory, and what hands it to the kernel.
may='switch/base/(shared|frame)\.h|switch/base/checksum\.c'
may="$may|ports/peer/access\.h|ports/tap/queue\.c"
only "$may" 'shared_raw\(|\* *\) *\(+uintptr_t\)'
# Of frames that are ours.
only 'switch/base/(frame|pool)\.h|ports/xdp/xsk_tx\.c' 'frame_seg_at\('

# Each statement is found by itself, if anything is.
try() { # NAME STATEMENT...
	local name=$1 statement
	shift
	for statement; do
		echo "uint8_t look_$((n += 1))(const struct frame_seg *s,
		    struct virtq *vq, struct pipe_ring *r)
		{
			uint8_t byte = 0;

			(void)s, (void)vq, (void)r;
			$statement
			return byte;
		}"
	done | reaches_in "$name" -include ports/vhost/packed.h \
		-include ports/vhost/split.h -include ports/pipe/ring.h \
		-w -x c -
}
n=0
wrong=('byte = *s->data;' 'byte = s->data[1];'
	'byte = *(const uint8_t *)s->data;'
	'const uint8_t *p = (const uint8_t *)s->data; byte = *p;'
	'byte = (uint8_t)vq->avail->idx;'
	'byte = (uint8_t)vq->avail->ring[1];'
	'byte = (uint8_t)vq->desc[1].len;'
	'byte = (uint8_t)vq->slot[1].flags;'
	'struct vring_desc d = vq->desc[1]; byte = (uint8_t)d.len;'
	'vq->used->ring[1].id = 1;' 'vq->used->idx = 1;'
	'byte = (uint8_t)__atomic_load_n(&vq->used->idx, __ATOMIC_RELAXED);'
	'__atomic_store_n(&vq->used->idx, 1, __ATOMIC_RELEASE);'
	'byte = (uint8_t)r->shared->desc[1].len;'
	'byte = *(vq->mem->region[0].host + 1);'
	'byte = r->mem->region[0].at[1];')
found=$(try wrong "${wrong[@]}" | cut -d: -f2 | sort -u | grep -c look_)
if [ "$found" != ${#wrong[@]} ]; then
	echo "not ok - of ${#wrong[@]} wrong statements $found are found"
	bad=1
fi
try right 'shared_copy_in(&byte, s->data, 1);' \
	'byte = (uint8_t)shared_load(&vq->avail->ring[1]);' \
	'shared_store_release(&vq->used->idx, 1);' \
	'byte = (uint8_t)shared_load_u64(&r->shared->desc[1]);' || {
	echo "not ok - what is right is found"
	bad=1
}
[ $bad = 0 ] && echo "ok - a peer's memory is reached through accessors only"
exit $bad

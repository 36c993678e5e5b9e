# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
#
# hugepages.sh - huge pages for as long as somebody needs them
#
# Sourced.  What pages_reserve adds, pages_give_back takes away, unless the
# number is another one by then: then it is somebody else's business.

HUGE=/sys/kernel/mm/hugepages/hugepages-2048kB
pages_before='' pages_set='' pages_missing=''

# Sees to it that $1 huge pages of 2 MiB are free, or sets $pages_missing to why
# they are not.
pages_reserve() {
	local free
	pages_missing="this kernel has no huge pages of 2 MiB"
	[ -d $HUGE ] || return
	free=$(cat $HUGE/free_hugepages)
	[ "$free" -lt "$1" ] || return 0
	pages_before=$(cat $HUGE/nr_hugepages)
	pages_set=$((pages_before + $1 - free))
	echo $pages_set >$HUGE/nr_hugepages
	[ "$(cat $HUGE/free_hugepages)" -lt "$1" ] || return 0
	pages_set=$(cat $HUGE/nr_hugepages)
	pages_missing="there is not enough free memory for $1 huge pages"
	return 1
}

pages_give_back() {
	[ -z "$pages_set" ] || [ "$(cat $HUGE/nr_hugepages)" != "$pages_set" ] ||
		echo "$pages_before" >$HUGE/nr_hugepages
	pages_set=''
}

#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Includes point one way: switch -> ports, learning; both -> switch/base;
# cli -> switch/base; swd's configuration -> cli/grammar.h alone.  Files of
# the base include nothing outside of it, nor does what applications link.
set -eu
cd "$(dirname "$0")/.."
bad=0

# allowed FILES-PATTERN INCLUDE-REGEX...
allowed() {
	local files=$1 line; shift
	while IFS= read -r line; do
		echo "not ok - ${line%%:*} includes ${line##*:}"
		bad=1
	done < <(git ls-files -co --exclude-standard -- $files |
		grep -E '\.[ch]$' |
		xargs -r grep -HoE '^#include "[^"]+"' |
		sed -E 's/#include "([^"]+)"/\1/' |
		grep -vE ":($1)" || true)
}

allowed 'switch/base/*' 'switch/base/'
allowed 'learning/*' 'learning/|switch/base/'
allowed 'ports/*' 'ports/|switch/base/'
allowed 'ports/pipe/client/*' 'ports/pipe/client/|ports/pipe/memif\.h'
allowed 'cli/*' 'cli/|switch/base/|switch/version\.h'
allowed ':(glob)switch/*.*' 'switch/|ports/|learning/|cli/grammar\.h'
allowed 'switch/control/*' 'switch/|ports/port\.h|learning/|cli/grammar\.h'
[ $bad = 0 ] && echo "ok - includes point one way"
exit $bad

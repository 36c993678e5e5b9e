/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * spin.c - how long an empty receive queue is polled before it is armed.
 */
#include <string.h>

#include "switch/spin.h"

static const char *const names[] = {
    [SPIN_DEFAULT] = "default",
    [SPIN_ALWAYS] = "always",
    [SPIN_NEVER] = "never",
    [SPIN_ADAPTIVE] = "adaptive",
};

const char *spin_name(enum spin spin)
{
	return names[spin];
}

enum spin spin_parse(const char *word)
{
	enum spin spin = SPIN_ADAPTIVE;

	while (spin != SPIN_DEFAULT && strcmp(word, names[spin]))
		spin--;
	return spin;
}

enum spin spin_resolve(enum spin own, enum spin all)
{
	if (own != SPIN_DEFAULT)
		return own;
	return all != SPIN_DEFAULT ? all : SPIN_ADAPTIVE;
}

uint64_t spin_cycles(enum spin spin, uint64_t before, uint64_t us)
{
	if (spin == SPIN_ALWAYS)
		return UINT64_MAX;
	if (spin == SPIN_NEVER)
		return 0;
	return before >= SPIN_MIN_US * us && before <= SPIN_MAX_US * us
		   ? before
		   : SPIN_FIRST_US * us;
}

uint64_t spin_adapt(uint64_t before, uint64_t asleep, uint64_t us)
{
	uint64_t least = SPIN_MIN_US * us, most = SPIN_MAX_US * us;

	if (asleep < SPIN_SOON_US * us)
		return 2 * before < most ? 2 * before : most;
	if (asleep > SPIN_LATE_US * us)
		return before / 2 > least ? before / 2 : least;
	return before;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * version.h - the version of swd and swctl.
 */
#ifndef SWITCH_VERSION_H
#define SWITCH_VERSION_H

#define SWITCH_VERSION "0.1"

#endif

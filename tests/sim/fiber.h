/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fiber.h - virtual processes take turns: each has a stack of its own, and one
 * runs until it hands over to another.
 */
#ifndef SIM_FIBER_H
#define SIM_FIBER_H

#include <stddef.h>

#define SIM_STACK (256 * 1024)

/* Goes on where `to` was left; *from is where we are left. */
void sim_switch(void **from, void *to);

/* A context that begins with entry, which never returns, on a stack that no
 * other uses any more. */
void *sim_fiber(char stack[SIM_STACK], void (*entry)(void));

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fiber.c - a context is a stack pointer; what a function may not change lies
 * on that stack.  musl has no swapcontext.
 */
#include "fiber.h"

#include <stdint.h>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif

#if !defined(__x86_64__)
#error "sim_switch is written for x86-64"
#endif
__asm__(".text\n"
        ".globl sim_switch\n"
        ".type sim_switch, @function\n"
        "sim_switch:\n"
        "	pushq %rbp; pushq %rbx; pushq %r12; pushq %r13; pushq %r14; pushq %r15\n"
        "	movq %rsp, (%rdi)\n"
        "	movq %rsi, %rsp\n"
        "	popq %r15; popq %r14; popq %r13; popq %r12; popq %rbx; popq %rbp\n"
        "	ret\n"
        ".size sim_switch, .-sim_switch\n");

void *sim_fiber(char stack[SIM_STACK], void (*entry)(void))
{
	void **top = (void **)(void *)(stack + SIM_STACK) - 1;
#if defined(__SANITIZE_ADDRESS__)
	__asan_unpoison_memory_region(stack, SIM_STACK);
#endif
	*top-- = NULL;                          // Where entry would return to: aligned as after a call.
	*top = (void *)(uintptr_t)entry;
	for (int i = 0; i < 6; i++)             // What sim_switch takes off the stack.
		*--top = NULL;
	return top;
}

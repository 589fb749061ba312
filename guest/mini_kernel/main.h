/*
 * The mini kernel's order of start: each part once, then tasks until the machine is switched off.
 */
#pragma once

#include <stdint.h>

/* For entry.asm. */
_Noreturn void kernel_start(uint32_t magic, uint32_t information);

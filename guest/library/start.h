/*
 * From the loader's jump to guest_main: console, descriptor tables, and the boot information.
 * Paging is off and interrupts are disabled when guest_main runs.
 */
#pragma once

#include <stdint.h>

#include "guest/library/boot.h"

/* For start.asm. */
void start_enter(uint32_t magic, uint32_t information);

/* Each guest's own. If it returns, the machine is switched off. */
void guest_main(const struct boot_info *boot);

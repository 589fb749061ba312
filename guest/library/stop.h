/*
 * The ways in which a guest ends. Both wait until the console is empty, and neither returns,
 * whatever the machine underneath makes of them.
 */
#pragma once

#include <stdint.h>

/* Writes to the debug-exit port: whoever started the guest sees status (value << 1) | 1. */
_Noreturn void stop_with_value(uint8_t value);

/* Switches the machine off: status 0. */
_Noreturn void stop_power_off(void);

/*
 * What a guest says: COM1 is its console, port 0xE9 its private log.
 * Polled, so it works with interrupts off, before the IDT, and inside a fault.
 * Must not know what is printed; formatting stands in print.h.
 */
#pragma once

#include <stdbool.h>

/* Sets the line to 115200 baud, 8 data bits. Nothing is printed if there is no COM1. */
void console_init(void);

/* A newline goes out as CR LF, as a terminal wants it. */
void console_put(char c);

/* The next byte that was typed, or -1. */
int console_poll(void);

/* From now on COM1 raises its interrupt when bytes have arrived; console_poll until -1 takes it
 * back. */
void console_interrupt_on_input(void);

/* Returns when the last byte has left the wire: some machines drop it if they stop earlier. */
void console_drain(void);

/* One byte to the debug console. */
void console_put_log(char c);

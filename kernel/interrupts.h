/* Hardware interrupts: both 8259s, moved away from the exceptions' vectors.
 *
 * A line is silent until somebody connects to it; one that speaks all the same is closed. Spurious
 * interrupts (lines 7 and 15 without their in-service bit) are recognised, counted and not
 * acknowledged twice. */
#ifndef KERNEL_INTERRUPTS_H
#define KERNEL_INTERRUPTS_H

#include <stdbool.h>
#include <stdint.h>

#define INTERRUPT_VECTOR_BASE 0x20
#define INTERRUPT_LINES       16

typedef void (*interrupt_handler)(void);

void interrupts_start(void);

/* From now on the line is open; called with real interrupts off. */
void interrupts_connect(uint8_t line, interrupt_handler handler);

/* How many there were: whoever sees the same number twice has missed none. */
uint32_t interrupts_seen(void);

#endif

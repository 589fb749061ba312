/*
 * The two 8259 interrupt controllers and the 8254 timer, as a PC has them.
 * All lines are masked until someone asks; vectors start at VECTOR_IRQ0.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define IRQ_TIMER    0
#define IRQ_KEYBOARD 1
#define IRQ_CASCADE  2
#define IRQ_COM1     4
#define TIMER_HZ     1193182u

/* Gives the lines vectors that no exception has, and masks them all. */
void interrupts_init(void);
void interrupt_unmask(unsigned irq);
void interrupt_mask(unsigned irq);

/* The end of an interrupt, told to the one or the two controllers. */
void interrupt_end(unsigned irq);

/* False for lines 7 and 15 when nothing was really there; such an interrupt has no end. */
bool interrupt_is_real(unsigned irq);

/* The request and in-service registers, line 0 in bit 0. */
uint16_t interrupt_requests(void);
uint16_t interrupts_in_service(void);

/* Channel 0: a periodic interrupt, or one after so many ticks of TIMER_HZ. */
void timer_start_periodic(uint32_t hz);
void timer_start_once(uint16_t ticks);

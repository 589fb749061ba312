/* The serial ports: COM1 is the console, COM2 the log; 16550s with their FIFOs.
 *
 * Output waits for room but not for ever: a line that has not drained for a second loses bytes,
 * counted, and nobody waits again until it takes some.
 * Input comes by interrupt into a ring; when the ring is full the port's interrupt is held off
 * until a reader makes room, so bytes wait in the chip and behind it instead of being lost.
 * It must not know what the bytes mean. */
#ifndef KERNEL_SERIAL_H
#define KERNEL_SERIAL_H

#include <stdbool.h>
#include <stdint.h>

enum serial_port { SERIAL_COM1, SERIAL_COM2, SERIAL_PORTS };

/* Sets the chip up for output; works before there are interrupts. False: no such port. */
bool serial_open(enum serial_port port);

/* From now on bytes that arrive are kept. Needs interrupts_start(). */
void serial_start_input(enum serial_port port);

void serial_write(enum serial_port port, char c);

/* Whether it loses what is written, and how many bytes it has lost in all. */
bool serial_is_stuck(enum serial_port port);
uint32_t serial_dropped(enum serial_port port);

/* False when nothing has arrived. */
bool serial_read(enum serial_port port, char *c);

/* Returns when the last byte has left the chip (or the line does not drain). */
void serial_drain(enum serial_port port);

#endif

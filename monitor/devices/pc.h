/* The virtual PC's board: it holds the chips, wires them to each other and puts them on the bus.
 *
 * Whoever runs the machine sees only this: port accesses, the line to the processor and its
 * acknowledge, the passing of time, and when something is due next. Every port access and every
 * received character may change what is due, so ask again after each; and whoever comes near a chip
 * by another way than the bus says so with bus_forget_answer(). Time never runs backwards.
 * To copy a machine, copy the struct and call pc_wire on the copy; nothing else points into it.
 * It must not know what a virtual CPU is, nor how a host timer is programmed. */
#ifndef MONITOR_DEVICES_PC_H
#define MONITOR_DEVICES_PC_H

#include <stdbool.h>
#include <stdint.h>

#include "monitor/devices/acpi_pm.h"
#include "monitor/devices/bus.h"
#include "monitor/devices/debug_exit.h"
#include "monitor/devices/i8042.h"
#include "monitor/devices/i8254.h"
#include "monitor/devices/i8259.h"
#include "monitor/devices/ide.h"
#include "monitor/devices/io_apic.h"
#include "monitor/devices/line.h"
#include "monitor/devices/local_apic.h"
#include "monitor/devices/mc146818.h"
#include "monitor/devices/ns16550.h"
#include "monitor/devices/pci.h"
#include "monitor/devices/port61.h"
#include "monitor/devices/port92.h"
#include "monitor/devices/port_e9.h"
#include "monitor/devices/power.h"
#include "monitor/devices/rom.h"
#include "monitor/devices/vga.h"

/* What is left out of the board, to see how a guest does without. */
struct pc_without {
	bool apic; /* both of them: interrupts come from the 8259 pair */
	bool vga;
	bool pci; /* and with it the bus master of the disk, which has its ports from there */
	bool acpi, mp_table; /* the tables; the registers they speak of are always there */
};

enum {
	PC_TIMER_INTERRUPT = 0,
	PC_TIMER_PIN = 2, /* of the I/O APIC */
	PC_KEYBOARD_INTERRUPT = 1,
	PC_COM2_INTERRUPT = 3,
	PC_COM1_INTERRUPT = 4,
	PC_CLOCK_INTERRUPT = 8,
	PC_MOUSE_INTERRUPT = 12,
};

struct pc {
	struct bus bus;
	struct i8259_pair interrupts;
	struct i8254 timer;
	struct port61 port61;
	struct port92 port92;
	struct i8042 keyboard;
	struct mc146818 clock;
	struct ns16550 com1, com2;
	struct port_e9 debug_console;
	struct debug_exit debug_exit;
	struct power power;
	struct local_apic local_apic;
	struct io_apic io_apic;
	struct vga vga;
	struct acpi_pm acpi_pm;
	struct rom rom;
	struct pci pci;
	struct ide ide;           /* on the board if there is a disk */
	uint16_t ide_master_port; /* where the bus master is; 0: nowhere */
	struct pc_without without;
};

/* What is not on the board. A member that is left out is not connected. */
struct pc_outside {
	struct line processor, nmi;
	void (*com1_transmit)(void *owner, uint8_t byte);
	void (*debug_line)(void *owner, const char *line, unsigned length);
	void (*unknown_port)(void *owner, const struct bus_unknown *access);
	/* Guest memory, for devices that get there by themselves. */
	void (*read_memory)(void *owner, uint32_t address, void *to, uint32_t size);
	void (*write_memory)(void *owner, uint32_t address, const void *from, uint32_t size);
	void *owner;   /* of the functions above */
	uint8_t *disk; /* its sectors; NULL: there is none */
	uint64_t disk_sectors;
};

/* First for a new machine, and again for a copy; state and counters stay as they are. What the
 * board is without is said before. */
void pc_wire(struct pc *pc, const struct pc_outside *outside);
/* All chips as the power comes on. */
void pc_reset(struct pc *pc, uint64_t now);
/* After pc_reset: what PC firmware does to the chips before it starts a kernel, in a machine with
 * so much RAM. */
void pc_start(struct pc *pc, uint64_t now, uint64_t ram_size);

uint32_t pc_read(struct pc *pc, uint64_t now, uint16_t port, unsigned size);
void pc_write(struct pc *pc, uint64_t now, uint16_t port, unsigned size, uint32_t value);

void pc_advance(struct pc *pc, uint64_t now);
/* The time at which pc_advance must be called at the latest, or VIRTUAL_TIME_NEVER. */
uint64_t pc_next_due(const struct pc *pc);

/* The processor takes the interrupt that its line asks for, and gets the vector. */
uint8_t pc_take_interrupt(struct pc *pc);
/* The same, at the present. False: the request went away in the last moment. */
bool pc_acknowledge(struct pc *pc, uint64_t now, uint8_t *vector);

#endif
